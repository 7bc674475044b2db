/*
 * A scenario is a test in a process of its own. The allocator's state is the process's, so each
 * scenario runs in a forked child that has never allocated: it may set `config` as it likes and
 * count from 0. The child checks with check() and its relatives, which say what they saw and end
 * the child; the parent turns the child's end into cmocka's verdict.
 *
 * What the child writes to stderr is kept, read by said(), and shown when the scenario fails.
 */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base.h"
#include "config.h"
#include "hakmem.h"
#include "superslab.h"

/* Seconds after which a scenario counts as hung. */
#define SCENARIO_LIMIT 300

#define SCENARIO(name)                        \
    static void name##_scenario(void);        \
    static void name(void **state)            \
    {                                         \
        (void)state;                          \
        scenario_run(#name, name##_scenario); \
    }                                         \
    static void name##_scenario(void)

void scenario_run(const char *name, void (*run)(void));

_Noreturn void scenario_fail(const char *file, int line, const char *what);
void scenario_equal(const char *file, int line, const char *what, uint64_t got, uint64_t want);

#define check(what) ((what) ? (void)0 : scenario_fail(__FILE__, __LINE__, #what))
#define check_eq(got, want) \
    scenario_equal(__FILE__, __LINE__, #got " == " #want, (uint64_t)(got), (uint64_t)(want))

/* All that the scenario has written to stderr so far, and how often text occurs in it. */
const char *said(void);
unsigned said_times(const char *text);

/* Blocks that a scenario holds. */
#define BLOCKS_MAX 16384
extern void *block[BLOCKS_MAX];

/* Allocates blocks from..to-1 of class cls, each filled to its last byte with its number. */
void fill_blocks(unsigned cls, unsigned from, unsigned to);
/* Checks that blocks from..to-1 still hold what fill_blocks() wrote, and frees them. */
void free_blocks(unsigned cls, unsigned from, unsigned to);

/* Runs fn(arg) in a thread and waits for its end. */
void in_a_thread(void (*fn)(void *), void *arg);

struct hak_class_stats class_now(unsigned cls);
struct hak_stats stats_now(void);

static inline struct slab *slab_of(const void *p)
{
    return ss_slab(ss_of(p), p);
}

#endif
