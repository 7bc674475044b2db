/*
 * What ACE's layers answer: a block, or why not. No state.
 */
#ifndef HAKMEM_ACE_LAYER_H
#define HAKMEM_ACE_LAYER_H

#include <errno.h>

#include "trace.h"

struct ace_answer {
    void *p;      /* NULL: the rest says why */
    bool zero;    /* p's bytes are known to be zero */
    bool unasked; /* MAP_FAIL_OS, but the system was not asked again */
    enum hak_ace_reason reason;
    int err;
    size_t class_size;
    uint64_t used, limit;
};

/* In a lost child, of a layer whose lock is taken by somebody who is not here. */
static inline struct ace_answer ace_lost(struct ace_answer a)
{
    a.reason = HAK_MAP_FAIL_OS;
    a.unasked = true;
    a.err = EAGAIN;
    return a;
}

#endif
