/* Threads begin, end, follow one another; processes fork. */
#include "thread.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "owner.h"
#include "scenario.h"
#include "tiny.h"

static void allocate(void *count)
{
    for (uintptr_t i = 0; i < (uintptr_t)count; i++) {
        block[i] = hak_malloc(2048);
        memset(block[i], (int)(i & 0xff), 2048);
    }
}

static void look_up_owner(void *out)
{
    hak_free(hak_malloc(8));
    *(struct owner **)out = tls.owner;
}

SCENARIO(a_thread_that_allocates_nothing_costs_nothing)
{
    in_a_thread(allocate, NULL);
    check_eq(stats_now().threads_started, 0);
    check_eq(stats_now().threads_ended, 0);
}

SCENARIO(a_thread_begins_with_its_first_block_and_is_counted_at_its_end)
{
    in_a_thread(allocate, (void *)1);
    check_eq(stats_now().threads_started, 1);
    check_eq(stats_now().threads_ended, 1);
    hak_free(block[0]);
    check_eq(stats_now().threads_started, 2);
}

static void free_some(void *to)
{
    free_blocks(7, 0, (unsigned)(uintptr_t)to);
}

SCENARIO(a_thread_that_frees_a_few_blocks_only_does_not_begin)
{
    allocate((void *)20);
    in_a_thread(free_some, (void *)16);
    check_eq(stats_now().threads_started, 1);
    hak_drain();
    check_eq(slab_of(block[19])->used, 4);
    fill_blocks(7, 0, 16);
    in_a_thread(free_some, (void *)17);
    check_eq(stats_now().threads_started, 2);
    check_eq(stats_now().threads_ended, 1);
}

SCENARIO(owners_of_ended_threads_serve_later_ones)
{
    struct owner *first = NULL, *second = NULL;

    in_a_thread(look_up_owner, &first);
    for (unsigned i = 0; i < 100; i++) {
        in_a_thread(look_up_owner, &second);
        check(second == first);
    }
    look_up_owner(&first);
    in_a_thread(look_up_owner, &second);
    /* Two at once are two. */
    check(second != first);
    check_eq(stats_now().mapped_bytes, 512 * 1024);
}

SCENARIO(a_thread_s_end_leaves_nothing_of_what_it_freed_active)
{
    allocate((void *)255);
    in_a_thread(allocate, NULL);
    free_blocks(7, 0, 255);
    hak_drain();
    check_eq(class_now(7).active, 0);
    check_eq(class_now(7).listed, 8);
}

SCENARIO(what_a_thread_leaves_in_use_is_adopted_and_comes_back)
{
    /* Every slab of one SuperSlab, so that stage 2 has nothing. */
    in_a_thread(allocate, (void *)255);
    check_eq(class_now(7).active, 8);
    free_blocks(7, 0, 255);
    hak_drain();
    /* Freed after their owner's end: in the queues of slabs without one. */
    check_eq(class_now(7).active, 8);
    for (unsigned i = 0; i < 255; i++) {
        block[i] = hak_malloc(2048);
        memset(block[i], (int)(i & 0xff), 2048);
    }
    check_eq(class_now(7).acquires[HAK_ADOPT], 8);
    check_eq(class_now(7).acquires[HAK_STAGE_3], 1);
    free_blocks(7, 0, 255);
    hak_drain();
    check_eq(class_now(7).active, 0);
    check_eq(class_now(7).listed, 8);
}

static void free_all(void *count)
{
    free_blocks(7, 0, (unsigned)(uintptr_t)count);
}

SCENARIO(what_another_thread_frees_comes_back_to_the_owner)
{
    allocate((void *)255);
    in_a_thread(free_all, (void *)255);
    check_eq(class_now(7).active, 8);
    /* The other one's end gave all back to our slabs; we look when we need blocks. */
    for (unsigned i = 0; i < 255; i++)
        check(hak_malloc(2048) != NULL);
    check_eq(class_now(7).acquires[HAK_STAGE_3], 1);
    /* Our current slab serves again at once; the seven others were EMPTY. */
    check_eq(class_now(7).acquires[HAK_STAGE_1], 7);
}

/* ---- after the end ---- */

static pthread_key_t late;
static unsigned late_calls;
static void *late_block;

/* Keys' destructors run in the order of the keys' making: this one behind the allocator's. */
static void still_allocates(void *arg)
{
    void *p = hak_malloc(100), *q = hak_malloc(2000);

    check(p && q);
    memset(p, 1, 100);
    memset(q, 2, 2000);
    hak_free(late_block);
    hak_free(q);
    late_block = p;
    /* Once more: the key is set again. */
    if (++late_calls % 3)
        pthread_setspecific(late, arg);
}

static void with_a_late_destructor(void *unused)
{
    (void)unused;
    late_block = hak_malloc(100);
    pthread_setspecific(late, &late);
}

SCENARIO(destructors_that_run_after_the_thread_s_end_may_allocate_and_free)
{
    check_eq(pthread_key_create(&late, still_allocates), 0);
    for (unsigned i = 0; i < 20; i++)
        in_a_thread(with_a_late_destructor, NULL);
    check_eq(late_calls, 60);
    check_eq(stats_now().threads_started, 20);
    check_eq(stats_now().threads_ended, 20);
    check_eq(stats_now().invalid_frees + stats_now().double_frees, 0);
    check(class_now(4).legacy_blocks > 0);
}

/* ---- fork ---- */

static pthread_barrier_t both;

static void *hold_blocks(void *unused)
{
    (void)unused;
    allocate((void *)200);
    pthread_barrier_wait(&both);
    pause();
    return NULL;
}

static void in_a_child(void (*fn)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(SCENARIO_LIMIT / 2);
        fn();
        _exit(0);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check_eq(status, 0);
}

static void frees_and_allocates(void)
{
    /* Of a thread that the child does not have. */
    free_blocks(7, 0, 200);
    for (unsigned i = 0; i < 2000; i++) {
        block[i] = hak_malloc(2048);
        memset(block[i], (int)(i & 0xff), 2048);
    }
    check(class_now(7).acquires[HAK_ADOPT] > 0);
    free_blocks(7, 0, 2000);
    check_eq(stats_now().invalid_frees + stats_now().double_frees + stats_now().hdr_resets, 0);
}

SCENARIO(a_child_frees_and_reuses_what_its_parent_s_threads_held)
{
    pthread_t thread;

    hak_free(hak_malloc(2048));
    pthread_barrier_init(&both, NULL, 2);
    check_eq(pthread_create(&thread, NULL, hold_blocks, NULL), 0);
    pthread_barrier_wait(&both);
    in_a_child(frees_and_allocates);
    in_a_child(frees_and_allocates);
    /* Nothing of it is seen here. */
    free_blocks(7, 0, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_allocates_nothing_costs_nothing),
        cmocka_unit_test(a_thread_begins_with_its_first_block_and_is_counted_at_its_end),
        cmocka_unit_test(a_thread_that_frees_a_few_blocks_only_does_not_begin),
        cmocka_unit_test(owners_of_ended_threads_serve_later_ones),
        cmocka_unit_test(a_thread_s_end_leaves_nothing_of_what_it_freed_active),
        cmocka_unit_test(what_a_thread_leaves_in_use_is_adopted_and_comes_back),
        cmocka_unit_test(what_another_thread_frees_comes_back_to_the_owner),
        cmocka_unit_test(destructors_that_run_after_the_thread_s_end_may_allocate_and_free),
        cmocka_unit_test(a_child_frees_and_reuses_what_its_parent_s_threads_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
