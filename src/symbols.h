/*
 * Functions looked up in a loaded object's own symbol table: the kernel's vdso, and the C library
 * where it must be the C library's function and not one that was preloaded over it. dlsym() would
 * wait for the loader's lock, and can itself be another's. Reads what is constant while the object
 * is loaded: no state, no lock, no allocation.
 */
#ifndef HAKMEM_SYMBOLS_H
#define HAKMEM_SYMBOLS_H

#include "base.h"

/* The function `name` of the kernel's vdso, or NULL. */
void *symbols_vdso(const char *name);

/* The function `name` of the C library that this library is linked with, or NULL. */
void *symbols_libc(const char *name);

/* The function `name` of the object called soname, in the namespace of what lies at address; NULL
 * if there is none. Only for objects that nobody closes meanwhile. */
void *symbols_beside(const void *address, const char *soname, const char *name);

#endif
