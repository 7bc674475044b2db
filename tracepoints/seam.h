/*
 * The seam between the allocator and whoever listens: one struct per event of events.def, one
 * number per event, and the table of functions a listener hands over. The allocator fills a
 * struct and calls the table; only provider.c knows LTTng. The table is installed once, by
 * trace_attach() (src/trace.h), and read without a lock.
 */
#ifndef HAKMEM_SEAM_H
#define HAKMEM_SEAM_H

#include <signal.h>
#include <stdint.h>

/* clang-format off */
#define HAK_ENUM(name, ...) enum hak_##name { __VA_ARGS__ };
#define V(label, number) HAK_##label = number,
#include "enums.def"
#undef V
#undef HAK_ENUM

#define F_PTR(f) uint64_t f;
#define F_U64(f) uint64_t f;
#define F_U32(f) uint32_t f;
#define F_I32(f) int32_t f;
#define F_ENUM(f, e) uint32_t f;
#define F_STR(f) const char *f;
#define HAK_EVENT(name, tier, level, ...) struct hak_ev_##name { __VA_ARGS__ };
#include "events.def"
#undef HAK_EVENT
#define HAK_LIBC_CALL(name, ...) struct hak_libc_##name { __VA_ARGS__ };
#include "libc.def"
#undef HAK_LIBC_CALL
#undef F_PTR
#undef F_U64
#undef F_U32
#undef F_I32
#undef F_ENUM
#undef F_STR

/* clang-format on */

enum hak_event {
#define HAK_EVENT(name, ...) HAK_EV_##name,
#include "events.def"
#undef HAK_EVENT
    HAK_EVENTS
};

enum hak_libc_call {
#define HAK_LIBC_CALL(name, ...) HAK_LIBC_##name,
#include "libc.def"
#undef HAK_LIBC_CALL
    HAK_LIBC_CALLS
};

/* Are so many slabs with nothing live worth a word where so many are ACTIVE? Fewer than a twentieth
 * are those that are on their way to a list. */
static inline int hak_slabs_matter(uint32_t slabs, uint32_t active)
{
    return slabs > 0 && slabs >= active / 20;
}

/* What a listener hands to the allocator. abi guards against a listener of another build. */
struct hak_trace_ops {
    uint32_t abi;
    uint32_t events;
    /* Emits event i; the argument points to its struct hak_ev_*. Never NULL. */
    void (*emit[HAK_EVENTS])(const void *event);
    /* *state[i] != 0: somebody records event i. */
    const volatile int *state[HAK_EVENTS];
    /* May be NULL. *recorders[i] is another pointer after a session has begun, or ended, to record
     * event i. */
    void *const volatile *recorders[HAK_EVENTS];
    /* The same for the calls of libc.def. */
    void (*emit_call[HAK_LIBC_CALLS])(const void *event);
    const volatile int *call_state[HAK_LIBC_CALLS];
    void (*before_fork)(sigset_t *saved);
    void (*after_fork_parent)(sigset_t *saved);
    void (*after_fork_child)(sigset_t *saved);
    /* Calls close_fd(fd), or, where fd is the listener's own, answers -1 with EBADF. */
    int (*close)(int fd, int (*close_fd)(int fd));
};

#define HAK_TRACE_ABI 4u
/* The name under which a listener library exports its `const struct hak_trace_ops`. */
#define HAK_TRACE_OPS_SYMBOL "hakmem_trace_ops"
/* The function of libhakmem that a listener calls when it goes away. */
void hak_trace_detach(void);
/* And the one that each thread of a listener's own begins with: it becomes as those of libhakmem's
 * are (src/helper.h). */
void hak_helper_begin(void);
/* And a copy of the descriptor fd, closed on exec, where those of a listener lie
 * (src/descriptors.c); -1: none. */
int hak_descriptor_apart(int fd);

#endif
