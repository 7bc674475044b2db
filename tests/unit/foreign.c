/* Pointers that are not ours: another allocator's blocks reach it, everything else is reported. */
#include "foreign.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"
#include "witness.h"

static char zeroed[1 << 20];
static char filled[64] = "filled";

static void refused(const void *ptr, enum hak_invalid_why why)
{
    void *p = (void *)(uintptr_t)ptr;
    unsigned n = witness_count(HAK_EV_invalid_free);
    const struct hak_ev_invalid_free *e;

    errno = 77;
    hak_free(p);
    check_eq(errno, 77);
    check_eq(stats_now().invalid_frees, n + 1);
    e = &witness_nth(HAK_EV_invalid_free, n)->invalid_free;
    check_eq(e->ptr, (uintptr_t)p);
    check_eq(e->ss, 0);
    check_eq(e->cls, CLASS_NONE);
    check_eq(e->why, why);
    check_eq(hak_malloc_usable_size(p), 0);
    check_eq(stats_now().invalid_frees, n + 1);
    check(!hak_realloc(p, 100));
    check_eq(errno, EINVAL);
    check_eq(stats_now().invalid_frees, n + 2);
    check_eq(witness_count(HAK_EV_invalid_free), n + 2);
    check(!foreign_is_known(p));
}

SCENARIO(the_main_stack_with_the_arguments_and_the_environment)
{
    char local[64] = "";

    witness_begin();
    refused(local, HAK_ON_A_STACK);
    refused(local + 16, HAK_ON_A_STACK);
    check(getenv("PATH") != NULL);
    refused(getenv("PATH"), HAK_ON_A_STACK);
    check_eq(said_times("free() of an address on a stack: expected what malloc returned"), 6);
}

static void refuse_own_stack(void *unused)
{
    char local[64] = "";

    (void)unused;
    refused(local, HAK_ON_A_STACK);
    /* Where nothing of this thread's is any more: far below. */
    refused(local - 20000, HAK_ON_A_STACK);
}

SCENARIO(the_stack_of_a_thread_that_has_not_allocated)
{
    witness_begin();
    in_a_thread(refuse_own_stack, NULL);
}

static struct {
    pthread_barrier_t barrier;
    char *local;
} shown;

static void *show_stack(void *unused)
{
    char local[64] = "";

    hak_free(hak_malloc(1));
    shown.local = local;
    pthread_barrier_wait(&shown.barrier);
    pthread_barrier_wait(&shown.barrier);
    return unused;
}

SCENARIO(the_stack_of_another_thread_while_it_lives)
{
    pthread_t thread;

    witness_begin();
    pthread_barrier_init(&shown.barrier, NULL, 2);
    check_eq(pthread_create(&thread, NULL, show_stack, NULL), 0);
    pthread_barrier_wait(&shown.barrier);
    refused(shown.local, HAK_ON_A_STACK);
    pthread_barrier_wait(&shown.barrier);
    check_eq(pthread_join(thread, NULL), 0);
}

SCENARIO(the_program_and_its_libraries)
{
    witness_begin();
    refused(zeroed, HAK_IN_A_PROGRAM_S_DATA);
    refused(zeroed + sizeof(zeroed) - 16, HAK_IN_A_PROGRAM_S_DATA);
    refused(filled, HAK_IN_A_PROGRAM_S_DATA);
    refused("literal", HAK_IN_A_PROGRAM_S_DATA);
    refused((void *)(uintptr_t)getenv, HAK_IN_A_PROGRAM_S_DATA);
    refused(&environ, HAK_IN_A_PROGRAM_S_DATA);
}

SCENARIO(where_no_memory_is)
{
    char *p = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    witness_begin();
    check(p != MAP_FAILED);
    refused(p + 4096, HAK_NOT_MAPPED);
    munmap(p, 3 * (size_t)4096);
    refused(p + 4096, HAK_NOT_MAPPED);
    refused((void *)16, HAK_NOT_MAPPED);
    refused((void *)0x4141414141414140, HAK_NOT_MAPPED);
    refused((void *)UINTPTR_MAX, HAK_NOT_MAPPED);
}

SCENARIO(blocks_of_the_system_s_malloc_are_freed_by_it_and_its_heap_is_known)
{
    char *p = malloc(100), *big = malloc(1 << 20);

    witness_begin();
    check(!foreign_is_known(p));
    check(hak_malloc_usable_size(p) >= 100);
    check(foreign_is_known(p));
    memset(p, 0x11, 100);
    p = hak_realloc(p, 5000);
    for (unsigned i = 0; i < 100; i++)
        check_eq(p[i], 0x11);
    hak_free(p);
    hak_free(big);
    for (unsigned i = 0; i < 5000; i++) {
        p = malloc(i * 20);
        hak_free(p);
    }
    check_eq(witness_count(HAK_EV_invalid_free), 0);
}

/* What the heap grows to is known with it: one look is enough. */
/* As far as the region goes that the block is in. */
SCENARIO(a_heap_is_known_beyond_its_present_end)
{
    char *p = malloc(100), *later[200];

    hak_free(p);
    for (unsigned i = 0; i < 200; i++) {
        later[i] = malloc(10000);
        if (((uintptr_t)later[i] ^ (uintptr_t)p) >> FOREIGN_REGION_LG == 0)
            check(foreign_is_known(later[i]));
    }
    for (unsigned i = 0; i < 200; i++)
        hak_free(later[i]);
}

/* Memory of the program's own next to a thread's stack is not that stack. */
static void beside_the_stack(void *unused)
{
    char *above = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    enum hak_invalid_why why;

    (void)unused;
    check(above != MAP_FAILED);
    for (size_t at = 0; at < 1 << 20; at += 4096)
        check(foreign_may_be_block(above + at, &why));
}

SCENARIO(memory_beside_a_stack_may_be_anybody_s)
{
    for (unsigned i = 0; i < 20; i++)
        in_a_thread(beside_the_stack, NULL);
}

SCENARIO(in_a_forked_child_the_stacks_of_the_parent_s_threads_are_nobody_s)
{
    enum hak_invalid_why why;
    pthread_t thread;
    int status;
    pid_t pid;

    pthread_barrier_init(&shown.barrier, NULL, 2);
    check_eq(pthread_create(&thread, NULL, show_stack, NULL), 0);
    pthread_barrier_wait(&shown.barrier);
    check(!foreign_may_be_block(shown.local, &why));
    pid = fork();
    if (pid == 0)
        _exit(foreign_may_be_block(shown.local, &why) ? 0 : 3);
    check_eq(waitpid(pid, &status, 0), pid);
    check_eq(status, 0);
    pthread_barrier_wait(&shown.barrier);
    check_eq(pthread_join(thread, NULL), 0);
}

/* ---- HAKMEM_ABORT_ON_ERROR ---- */

static int end_of(void (*misuse)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        config.abort_on_error = 1;
        misuse();
        _exit(0);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void free_twice(void)
{
    void *p = hak_malloc(100);

    hak_free(p);
    hak_free(p);
}

static void free_inside(void)
{
    hak_free((char *)hak_malloc(100) + 1);
}

static void free_a_variable(void)
{
    hak_free(zeroed);
}

static void write_after_free(void)
{
    char *p = hak_malloc(100);

    hak_free(p);
    memset(p, 0, 100);
    (void)hak_malloc(100);
}

SCENARIO(the_program_ends_after_the_line_where_it_is_asked_to)
{
    static void (*const misuses[])(void) = {free_twice, free_inside, free_a_variable,
                                            write_after_free};

    for (unsigned i = 0; i < 4; i++) {
        int status = end_of(misuses[i]);

        check(WIFSIGNALED(status));
        check_eq(WTERMSIG(status), SIGABRT);
        check_eq(said_times("the program is aborted (HAKMEM_ABORT_ON_ERROR=1)\n"), i + 1);
        check_eq(said_times("the program goes on"), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_main_stack_with_the_arguments_and_the_environment),
        cmocka_unit_test(the_stack_of_a_thread_that_has_not_allocated),
        cmocka_unit_test(the_stack_of_another_thread_while_it_lives),
        cmocka_unit_test(the_program_and_its_libraries),
        cmocka_unit_test(where_no_memory_is),
        cmocka_unit_test(blocks_of_the_system_s_malloc_are_freed_by_it_and_its_heap_is_known),
        cmocka_unit_test(a_heap_is_known_beyond_its_present_end),
        cmocka_unit_test(memory_beside_a_stack_may_be_anybody_s),
        cmocka_unit_test(in_a_forked_child_the_stacks_of_the_parent_s_threads_are_nobody_s),
        cmocka_unit_test(the_program_ends_after_the_line_where_it_is_asked_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
