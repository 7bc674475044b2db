/* The lock: one holder at a time, waiters are woken, a wait may be bounded, errno is the caller's.
 */
#include "lock.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os.h"
#include "scenario.h"

#define THREADS 4
#define ROUNDS 20000u

static struct lock lock;
static uint64_t count;

static void *add(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < ROUNDS; i++) {
        lock_take(&lock);
        count++;
        lock_give(&lock);
    }
    return NULL;
}

SCENARIO(one_thread_holds_it_at_a_time)
{
    pthread_t thread[THREADS];

    for (unsigned i = 0; i < THREADS; i++)
        check_eq(pthread_create(&thread[i], NULL, add, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    check_eq(count, THREADS * ROUNDS);
    check_eq(atomic_load(&lock.word), LOCK_FREE);
}

static void *wait_for_it(void *unused)
{
    (void)unused;
    errno = EDOM;
    lock_take(&lock);
    count = errno == EDOM;
    lock_give(&lock);
    return NULL;
}

SCENARIO(a_sleeping_waiter_is_woken_and_keeps_its_errno)
{
    pthread_t thread;

    count = 0;
    lock_take(&lock);
    check_eq(pthread_create(&thread, NULL, wait_for_it, NULL), 0);
    while (atomic_load(&lock.word) != LOCK_AWAITED)
        os_sleep_ns(100000);
    lock_give(&lock);
    pthread_join(thread, NULL);
    check_eq(count, 1);
}

SCENARIO(a_bounded_wait_ends_without_it)
{
    uint64_t began = os_now_ns();

    lock_take(&lock);
    check(!lock_try(&lock));
    errno = EDOM;
    check(!lock_take_within(&lock, 20000000));
    check_eq(errno, EDOM);
    check(os_now_ns() - began >= 20000000);
    lock_give(&lock);
    check(lock_take_within(&lock, 0));
    lock_give(&lock);
}

SCENARIO(a_forked_child_gives_what_its_parent_took)
{
    int status;
    pid_t child;

    lock_take(&lock);
    child = fork();
    if (child == 0) {
        lock_give(&lock);
        _exit(lock_try(&lock) ? 0 : 1);
    }
    lock_give(&lock);
    check_eq(waitpid(child, &status, 0), child);
    check_eq(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_holds_it_at_a_time),
        cmocka_unit_test(a_sleeping_waiter_is_woken_and_keeps_its_errno),
        cmocka_unit_test(a_bounded_wait_ends_without_it),
        cmocka_unit_test(a_forked_child_gives_what_its_parent_took),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
