/*
 * dlopen() and dlmopen() without RTLD_DEEPBIND, which would bind an object and what it brings along
 * to the C library's malloc in place of this one: its blocks and the program's come to the wrong
 * free(). HAKMEM_DEEPBIND=keep leaves the flag. The pointers to the functions behind these are
 * stored by whoever calls first, each the same; no lock.
 */
#ifndef HAKMEM_LOADER_H
#define HAKMEM_LOADER_H

#include "base.h"

enum deepbind { DEEPBIND_DROP, DEEPBIND_TELL, DEEPBIND_KEEP };

#endif
