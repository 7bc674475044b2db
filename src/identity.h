/*
 * setuid() and its relatives, for which the C library has every thread of the process make the same
 * system call and aborts where one is answered otherwise than the rest. The helper, which has no
 * capabilities, would be: so there is none while such a call lasts. The pointers to the functions
 * behind these are stored by the constructor, or by whoever calls before it, each the same; no
 * lock.
 */
#ifndef HAKMEM_IDENTITY_H
#define HAKMEM_IDENTITY_H

#include "base.h"

/* From the constructor: the calls may come from signal handlers, where nothing can be looked up. */
void identity_begin(void);

#endif
