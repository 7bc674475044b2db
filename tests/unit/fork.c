/* Forks of every kind, beside whatever other threads and this one are in the middle of. */
#include "fork.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ace.h"
#include "ace_large.h"
#include "ace_mid.h"
#include "legacy.h"
#include "os.h"
#include "pool.h"
#include "reclaim.h"
#include "scenario.h"
#include "thread.h"
#include "tick.h"
#include "tiny.h"
#include "trace.h"
#include "vg.h"

static void (*const boxes[])(enum fork_step step) = {
    tick_fork, reclaim_fork, thread_fork, legacy_fork, pool_fork, ace_fork,
};
#define BOXES (sizeof(boxes) / sizeof(boxes[0]))

static void all(enum fork_step step)
{
    for (unsigned i = 0; i < BOXES; i++)
        boxes[i](step);
}

/* Blocks of every layer, old and new, can be had and given back. */
static void everything_works(void)
{
    static const size_t size[] = {8, 100, 2000, 3000, 30000, 50000, 1 << 20, 3 << 20};
    void *p[8][40];

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 8; i++)
            for (unsigned n = 0; n < 40; n++) {
                p[i][n] = hak_malloc(size[i]);
                check(p[i][n] != NULL);
                memset(p[i][n], (int)(i + n), size[i] < 5000 ? size[i] : 5000);
            }
        for (unsigned i = 0; i < 8; i++)
            for (unsigned n = 0; n < 40; n++) {
                check_eq(((unsigned char *)p[i][n])[7], i + n);
                hak_free(p[i][n]);
            }
    }
    hak_drain();
    check_eq(stats_now().double_frees + stats_now().invalid_frees + stats_now().hdr_resets, 0);
}

/* Ends with the child's verdict; a child that hangs is killed by its alarm. */
static void in_a_child_of(pid_t (*forks)(void), void (*fn)(void))
{
    int status = -1;
    pid_t pid;

    alarm(20);
    pid = forks();
    if (pid == 0) {
        alarm(10);
        fn();
        _exit(0);
    }
    check(pid > 0);
    check_eq(waitpid(pid, &status, 0), pid);
    check_eq(status, 0);
    alarm(0);
}

/* ---- the forking thread is in the middle of a slow path ---- */

static void *only_be_there(void *unused)
{
    pause();
    return unused;
}

static void another_thread(void)
{
    pthread_t thread;

    check_eq(pthread_create(&thread, NULL, only_be_there, NULL), 0);
}

static void go_on(void)
{
    all(FORK_PARENT);
    lost_leave();
    everything_works();
}

/* As in a signal handler that interrupted it. */
SCENARIO(a_fork_on_a_thread_that_holds_locks_waits_for_none_of_them)
{
    another_thread();
    everything_works();
    lost_enter();
    all(FORK_LOCK);
    in_a_child_of(fork, go_on);
    all(FORK_PARENT);
    lost_leave();
    everything_works();
    in_a_child_of(fork, everything_works);
}

/* ---- a fork in the middle of another ---- */

static bool fork_within;

static void before_the_locks_are_given_back(void)
{
    if (!fork_within)
        return;
    fork_within = false;
    in_a_child_of(fork, everything_works);
}

/* Handlers before a fork run from the last registered to the first: this one when all is locked. */
__attribute__((constructor(101))) static void register_first(void)
{
    pthread_atfork(before_the_locks_are_given_back, NULL, NULL);
}

SCENARIO(a_fork_in_a_handler_of_another_fork_leaves_all_three_in_order)
{
    another_thread();
    everything_works();
    fork_within = true;
    in_a_child_of(fork, everything_works);
    check(!fork_within);
    everything_works();
}

/* ---- children of which no handler knows ---- */

static pid_t raw_clone(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static pid_t clone_files(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_FILES, NULL, NULL, NULL, NULL);
}

static pthread_barrier_t both;
static void *kept[6][20];
static const size_t kept_size[6] = {24, 500, 4000, 20000, 100000, 3 << 20};

static void keep(void)
{
    for (unsigned i = 0; i < 6; i++)
        for (unsigned n = 0; n < 20; n++) {
            kept[i][n] = hak_malloc(kept_size[i]);
            check(kept[i][n] != NULL);
            memset(kept[i][n], (int)(i * 20 + n), 24);
        }
}

static void drop_kept(void)
{
    for (unsigned i = 0; i < 6; i++)
        for (unsigned n = 0; n < 20; n++) {
            check_eq(((unsigned char *)kept[i][n])[23], i * 20 + n);
            hak_free(kept[i][n]);
        }
    hak_drain();
}

static void with_lists_half_changed(void)
{
    struct space mid = mid_space, large = large_space;

    memset(mid_space.bucket, 0x11, sizeof(mid.bucket));
    memset(large_space.bucket, 0x11, sizeof(large.bucket));
    mid_space.all = large_space.all = (struct region *)0x1111;
    mid_space.filled = large_space.filled = UINT32_MAX;
    pthread_barrier_wait(&both);
    pthread_barrier_wait(&both);
    memcpy(mid_space.bucket, mid.bucket, sizeof(mid.bucket));
    memcpy(large_space.bucket, large.bucket, sizeof(large.bucket));
    mid_space.all = mid.all;
    large_space.all = large.all;
    mid_space.filled = mid.filled;
    large_space.filled = large.filled;
}

/* A thread that the child does not have, with all locks. */
static void *be_in_the_middle(void *unused)
{
    all(FORK_LOCK);
    with_lists_half_changed();
    all(FORK_PARENT);
    return unused;
}

static void find_all(void)
{
    drop_kept();
    everything_works();
    hak_malloc_trim(0);
    check_eq(stats_now().mid.blocks + stats_now().large.blocks + stats_now().huge.blocks, 0);
    check_eq(stats_now().mid.used + stats_now().large.used + stats_now().huge.used, 0);
    check_eq(stats_now().mid.mapped + stats_now().large.mapped + stats_now().huge.mapped, 0);
    for (unsigned c = 0; c < CLASSES; c++)
        check_eq(class_now(c).active, 0);
    check_eq(stats_now().mapped_bytes, 0);
}

static void beside_one_in_the_middle(pid_t (*forks)(void), void (*fn)(void))
{
    pthread_t thread;

    keep();
    pthread_barrier_init(&both, NULL, 2);
    check_eq(pthread_create(&thread, NULL, be_in_the_middle, NULL), 0);
    pthread_barrier_wait(&both);
    in_a_child_of(forks, fn);
    pthread_barrier_wait(&both);
    pthread_join(thread, NULL);
    find_all();
}

SCENARIO(a_child_of_a_raw_clone_takes_what_a_thread_held_that_it_does_not_have)
{
    beside_one_in_the_middle(raw_clone, find_all);
}

SCENARIO(a_child_of__Fork_takes_what_a_thread_held_that_it_does_not_have)
{
    beside_one_in_the_middle(_Fork, find_all);
}

SCENARIO(a_child_that_shares_its_parent_s_descriptors_does_too)
{
    beside_one_in_the_middle(clone_files, find_all);
}

/* As after a signal handler that has forked and returns into the slow path that it interrupted. */
static void go_on_inside(void)
{
    void *p[6], *q;

    for (unsigned i = 0; i < 6; i++) {
        p[i] = hak_malloc(kept_size[i]);
        check(p[i] != NULL);
        hak_free(kept[i][0]);
        q = hak_realloc(kept[i][1], kept_size[i] + kept_size[i] / 2);
        check_eq(((unsigned char *)q)[23], i * 20 + 1);
        kept[i][0] = p[i];
        kept[i][1] = q;
        memset(kept[i][0], (int)(i * 20), 24);
    }
    lost_leave();
    find_all();
}

static pid_t fork_inside(void)
{
    lost_enter();
    return fork();
}

SCENARIO(what_a_fork_interrupted_goes_on_in_the_child_beside_locks_that_nobody_gives)
{
    pthread_t thread;

    keep();
    pthread_barrier_init(&both, NULL, 2);
    check_eq(pthread_create(&thread, NULL, be_in_the_middle, NULL), 0);
    pthread_barrier_wait(&both);
    in_a_child_of(fork_inside, go_on_inside);
    lost_leave();
    pthread_barrier_wait(&both);
    pthread_join(thread, NULL);
    find_all();
}

/* ---- generation after generation ---- */

enum { GENERATIONS = 24, HOLDERS = 4 };

static void *held[HOLDERS][200];
static pthread_barrier_t all_hold;

static size_t size_of(unsigned n)
{
    return n % 8 == 7 ? 3000u + n * 300 : 8u + n * 9;
}

/* Holds blocks of all classes, has others in its lists and caches. */
static void *hold(void *which)
{
    void **mine = which, *more[200];

    for (unsigned n = 0; n < 200; n++) {
        mine[n] = hak_malloc(size_of(n));
        more[n] = hak_malloc(size_of(n));
        check(mine[n] && more[n]);
    }
    for (unsigned n = 0; n < 200; n++)
        hak_free(more[n]);
    pthread_barrier_wait(&all_hold);
    pause();
    return NULL;
}

static uint32_t active_now(void)
{
    uint32_t n = 0;

    for (unsigned c = 0; c < CLASSES; c++)
        n += class_now(c).active;
    return n;
}

static void generation(unsigned n, uint64_t mapped, uint32_t active)
{
    pthread_t thread;
    int status;
    pid_t pid;

    if (n == GENERATIONS)
        _exit(0);
    pthread_barrier_init(&all_hold, NULL, HOLDERS + 1);
    for (unsigned i = 0; i < HOLDERS; i++)
        check_eq(pthread_create(&thread, NULL, hold, held[i]), 0);
    pthread_barrier_wait(&all_hold);
    pid = fork();
    if (pid) {
        check_eq(waitpid(pid, &status, 0), pid);
        check_eq(status, 0);
        return;
    }
    for (unsigned i = 0; i < HOLDERS; i++)
        for (unsigned j = 0; j < 200; j++)
            hak_free(held[i][j]);
    hak_drain();
    pool_look_after_published(tls.owner);
    /* Nothing is in use that this thread does not have: nothing was lost to the others. */
    if (n == 1) {
        mapped = os_mapped_bytes();
        active = active_now();
    } else if (n > 1) {
        check(active_now() <= active);
        check(os_mapped_bytes() <= mapped);
    }
    generation(n + 1, mapped, active);
    _exit(0);
}

SCENARIO(what_threads_had_is_not_lost_from_generation_to_generation)
{
    hak_free(hak_malloc(100));
    generation(0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fork_on_a_thread_that_holds_locks_waits_for_none_of_them),
        cmocka_unit_test(a_fork_in_a_handler_of_another_fork_leaves_all_three_in_order),
        cmocka_unit_test(a_child_of_a_raw_clone_takes_what_a_thread_held_that_it_does_not_have),
        cmocka_unit_test(a_child_of__Fork_takes_what_a_thread_held_that_it_does_not_have),
        cmocka_unit_test(a_child_that_shares_its_parent_s_descriptors_does_too),
        cmocka_unit_test(what_threads_had_is_not_lost_from_generation_to_generation),
        cmocka_unit_test(
            what_a_fork_interrupted_goes_on_in_the_child_beside_locks_that_nobody_gives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
