/*
 * A model checker for lock-free code: runs two or three threads of a scenario in every order of
 * their atomic operations, up to a number of preemptions, and asks after each step whether the
 * scenario's invariants hold. The code under test is the library's own: a model includes this
 * header, then the .c files. The threads are contexts on one kernel thread, so an order can be
 * run again exactly.
 *
 * Orders are sequentially consistent ones: what a missing acquire or release would allow on a
 * weaker machine is not seen. Plain accesses run with the atomic operation before them.
 *
 * Only the model's own program calls; no lock, one scenario at a time.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base.h"

#define MODEL_THREADS 3

struct model_scenario {
    const char *name;
    void (*begin)(void);                 /* before each order: everything as at the beginning */
    void (*thread[MODEL_THREADS])(void); /* NULL: none */
    void (*always)(void);                /* after each step */
    void (*end)(void);                   /* after each order */
};

/* Runs s in all orders of at most so many preemptions, the least first. Returns how many there
 * were; 0 if one of them failed, which has been told then, step by step. */
uint64_t model_check(const struct model_scenario *s, unsigned preemptions);

/* What must hold does not, in this order. Does not return to the scenario. */
_Noreturn void model_fail(const char *what, const char *file, int line);

#define model_must(x) ((x) ? (void)0 : model_fail(#x, __FILE__, __LINE__))

/* The calling thread is about to do an atomic operation: another may come before. */
void model_step(const char *function, int line);

/* The calling thread can do nothing until another has done something. */
void model_wait(const char *function, int line);

/* The number of the calling thread. */
unsigned model_self(void);

/* ---- the library's words, as steps ---- */

#define MODEL_STEP model_step(__func__, __LINE__)

#undef atomic_init
#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_weak_explicit
#undef atomic_fetch_add
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and
#undef atomic_fetch_and_explicit
#undef hak_assert

#define atomic_init(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define atomic_load(p) (MODEL_STEP, __atomic_load_n(p, __ATOMIC_SEQ_CST))
#define atomic_load_explicit(p, order) atomic_load(p)
#define atomic_store(p, v) (MODEL_STEP, __atomic_store_n(p, v, __ATOMIC_SEQ_CST))
#define atomic_store_explicit(p, v, order) atomic_store(p, v)
#define atomic_exchange(p, v) (MODEL_STEP, __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST))
#define atomic_exchange_explicit(p, v, order) atomic_exchange(p, v)
#define atomic_compare_exchange_strong(p, e, v) \
    (MODEL_STEP, __atomic_compare_exchange_n(p, e, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
#define atomic_compare_exchange_strong_explicit(p, e, v, yes, no) \
    atomic_compare_exchange_strong(p, e, v)
#define atomic_compare_exchange_weak(p, e, v) atomic_compare_exchange_strong(p, e, v)
#define atomic_compare_exchange_weak_explicit(p, e, v, yes, no) \
    atomic_compare_exchange_strong(p, e, v)
#define atomic_fetch_add(p, v) (MODEL_STEP, __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST))
#define atomic_fetch_add_explicit(p, v, order) atomic_fetch_add(p, v)
#define atomic_fetch_sub(p, v) (MODEL_STEP, __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST))
#define atomic_fetch_sub_explicit(p, v, order) atomic_fetch_sub(p, v)
#define atomic_fetch_or(p, v) (MODEL_STEP, __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST))
#define atomic_fetch_or_explicit(p, v, order) atomic_fetch_or(p, v)
#define atomic_fetch_and(p, v) (MODEL_STEP, __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST))
#define atomic_fetch_and_explicit(p, v, order) atomic_fetch_and(p, v)
#define hak_assert(x) model_must(x)

#endif
