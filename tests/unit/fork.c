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
#include "legacy.h"
#include "pool.h"
#include "reclaim.h"
#include "scenario.h"
#include "thread.h"
#include "tick.h"
#include "trace.h"
#include "vg.h"

static void (*const boxes[])(enum fork_step step) = {
    tick_fork, reclaim_fork, thread_fork, legacy_fork, pool_fork, ace_fork, vg_fork,
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fork_on_a_thread_that_holds_locks_waits_for_none_of_them),
        cmocka_unit_test(a_fork_in_a_handler_of_another_fork_leaves_all_three_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
