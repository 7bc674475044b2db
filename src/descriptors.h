/*
 * close(), closefrom() and close_range() of a program that is recorded, which spare the tracer's
 * own descriptors: a daemon that closes all that it did not open would end by the tracer's abort()
 * and meet the tracer in files that it opens next. To the program they look closed; and they have
 * high numbers, so that no script's own are taken. Off a recording each is a jump to the function
 * behind it. The pointer to that one is stored once, by the constructor; no lock.
 */
#ifndef HAKMEM_DESCRIPTORS_H
#define HAKMEM_DESCRIPTORS_H

#include "base.h"

/* From the constructor. */
void descriptors_begin(void);

#endif
