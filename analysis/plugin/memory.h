/*
 * Memory of the component. What is live is small and a report without memory is none, so
 * running out of it ends the program with a line instead of burdening every caller.
 */
#ifndef HAK_MEMORY_H
#define HAK_MEMORY_H

#include <stdio.h>
#include <stdlib.h>

static inline void *memory_checked(void *p)
{
    if (!p) {
        fputs("hak: out of memory while reading the trace\n", stderr);
        exit(3);
    }
    return p;
}

static inline void *memory_new(size_t size)
{
    return memory_checked(calloc(1, size));
}

static inline void *memory_grow(void *p, size_t size)
{
    return memory_checked(realloc(p, size));
}

#endif
