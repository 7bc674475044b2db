/* What lies behind a SuperSlab or a region cannot be written to, as long as there are guards; and
 * records that were overwritten are not acted upon. */
#include "guard.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ace_large.h"
#include "ace_space.h"
#include "os.h"
#include "owner.h"
#include "pool.h"
#include "process.h"
#include "scenario.h"

/* The signal that a child which does what(arg) ends by, 0: none. */
static int signal_of(void (*what)(void *arg), void *arg)
{
    struct rlimit no_core = {0, 0};
    int status = 0;
    pid_t pid = fork();

    check(pid >= 0);
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        alarm(SCENARIO_LIMIT);
        what(arg);
        _exit(0);
    }
    check(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void write_at(void *p)
{
    *(volatile char *)p = 1;
}

SCENARIO(a_write_past_the_end_of_a_superslab_meets_a_guard)
{
    for (unsigned i = 0; i < 6; i++) {
        struct superslab *ss = ss_map(SS_LG_MIN + i % 3, HAK_POOL);
        char *end = (char *)ss + ((size_t)1 << ss->lg);

        check(ss->guarded);
        check_eq(signal_of(write_at, end - 1), 0);
        check_eq(signal_of(write_at, end), SIGSEGV);
        check_eq(signal_of(write_at, end + os_page() - 1), SIGSEGV);
    }
}

SCENARIO(a_write_past_the_end_of_a_region_meets_a_guard)
{
    static const size_t sizes[] = {5000, 300000};

    for (unsigned i = 0; i < 2; i++) {
        char *end = (char *)region_of(hak_malloc(sizes[i])) + REGION_SIZE;

        check_eq(signal_of(write_at, end - 1), 0);
        check_eq(signal_of(write_at, end), SIGSEGV);
    }
}

SCENARIO(there_are_no_more_guards_than_are_asked_for)
{
    uint64_t before;
    bool guarded;
    void *p[4];

    process_init();
    config.guards = 2;
    before = os_mapped_bytes();
    for (unsigned i = 0; i < 4; i++) {
        p[i] = guard_map(1 << 19, 1 << 19, &guarded);
        check(p[i]);
        check_eq(guarded, i < 2);
    }
    check(guard_unmap(p[0], 1 << 19, true));
    p[0] = guard_map(1 << 19, 1 << 19, &guarded);
    check(guarded);
    for (unsigned i = 0; i < 4; i++)
        check(guard_unmap(p[i], 1 << 19, i < 2));
    check_eq(os_mapped_bytes(), before);
}

SCENARIO(a_refused_map_takes_no_guard)
{
    bool guarded;

    process_init();
    config.guards = 1;
    os_fail_maps(os_fault(OS_FAULT_FROM, 1));
    for (unsigned i = 0; i < 3; i++)
        check(!guard_map(1 << 19, 1 << 19, &guarded));
    os_fail_maps(0);
    check(guard_map(1 << 19, 1 << 19, &guarded));
    check(guarded);
}

/* ---- records ---- */

static struct owner mine, theirs;

static struct slab *acquire(struct owner *o)
{
    struct slab *s = pool_acquire(o, 4, 128);

    check(s != NULL);
    owner_set_current(o, s, 4);
    return s;
}

static struct chain take(struct owner *o)
{
    struct chain c = owner_take(o, 4, 3);

    check(c.head != NULL);
    return c;
}

/* A full slab of mine, on the list, and a block of it. */
static struct slab *full(struct chain *c)
{
    struct slab *s;

    process_init();
    owner_init(&mine, 1001);
    owner_init(&theirs, 1002);
    s = acquire(&mine);
    *c = take(&mine);
    (void)take(&mine);
    mine.cls[4].current = NULL;
    owner_put_full(&mine, s, 4);
    return s;
}

static struct chain chain;

static void give_own(void *unused)
{
    (void)unused;
    owner_give(&mine, chain, 4);
}

static void give_theirs(void *unused)
{
    (void)unused;
    owner_give(&theirs, chain, 4);
}

static void collect(void *unused)
{
    (void)unused;
    owner_collect(&mine);
}

SCENARIO(a_slab_whose_links_were_overwritten_is_not_unlinked)
{
    struct slab *s = full(&chain);
    /* Where somebody wants something to be written. */
    struct slab_link target[2] = {{&target[1], &target[1]}, {&target[0], &target[0]}};

    check_eq(signal_of(give_own, NULL), 0);
    s->link.next = &target[0];
    check_eq(signal_of(give_own, NULL), SIGABRT);
    s->link.prev = &target[1];
    check_eq(signal_of(give_own, NULL), SIGABRT);
    check_eq(said_times("were overwritten"), 2);
}

SCENARIO(a_forged_owner_is_told_of_nothing)
{
    static struct owner forged;
    struct slab *s = full(&chain);

    check_eq(signal_of(give_theirs, NULL), 0);
    memcpy(&forged, &mine, sizeof(forged));
    s->owner = &forged;
    check_eq(signal_of(give_theirs, NULL), SIGABRT);
}

SCENARIO(a_forged_slab_on_the_pending_list_is_not_collected)
{
    static struct slab forged;
    struct slab *s = full(&chain);

    owner_give(&theirs, chain, 4);
    check_eq(signal_of(collect, NULL), 0);
    forged = *s;
    s->pending_next = &forged;
    check_eq(signal_of(collect, NULL), SIGABRT);
}

SCENARIO(a_slab_with_blocks_in_use_does_not_become_empty_by_a_forged_count)
{
    struct slab *s = full(&chain);

    /* What says that the others are still out. */
    s->used = (uint16_t)chain.count;
    check(info_carved(slab_info(s)) > chain.count);
    check_eq(signal_of(give_own, NULL), SIGABRT);
    check_eq(said_times("were overwritten"), 1);
}

/* Where somebody wants something to be written. */
static uintptr_t wanted[8];

/* Every address of a region's that the records of p's region hold is his. */
static void forge_records(void *p)
{
    uintptr_t *w = (uintptr_t *)region_of(p);

    for (unsigned i = 0; i < UNIT_SIZE / sizeof(*w); i++)
        if (pagemap_lookup((void *)w[i]))
            w[i] = (uintptr_t)wanted;
}

static void nothing_was_written(void)
{
    for (unsigned i = 0; i < 8; i++)
        check_eq(wanted[i], 0);
}

/* More blocks of so many bytes than a region has, all freed again but every third. */
static void fill_regions(size_t size, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        check((block[i] = hak_malloc(size)) != NULL);
    for (unsigned i = 0; i < n; i++)
        if (i % 3)
            hak_free(block[i]);
    hak_drain();
}

static void go_on_with(void *size)
{
    for (unsigned i = 0; i < 4000; i++)
        if (!hak_malloc((uintptr_t)size))
            break;
    nothing_was_written();
}

static void free_all_and_tend(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 40; i += 3)
        hak_free(block[i]);
    hak_drain();
    (void)space_tend(&large_space, true);
    nothing_was_written();
}

SCENARIO(a_region_whose_links_were_overwritten_is_not_unlinked)
{
    fill_regions(300000, 40);
    check_eq(signal_of(go_on_with, (void *)300000), 0);
    for (unsigned i = 0; i < 40; i += 3)
        forge_records(block[i]);
    check_eq(signal_of(go_on_with, (void *)300000), SIGABRT);
    check_eq(signal_of(free_all_and_tend, NULL), SIGABRT);
}

SCENARIO(a_chunk_whose_links_were_overwritten_is_not_unlinked)
{
    fill_regions(5000, 2000);
    check_eq(signal_of(go_on_with, (void *)5000), 0);
    for (unsigned i = 0; i < 2000; i += 3)
        forge_records(block[i]);
    check_eq(signal_of(go_on_with, (void *)5000), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_past_the_end_of_a_superslab_meets_a_guard),
        cmocka_unit_test(a_write_past_the_end_of_a_region_meets_a_guard),
        cmocka_unit_test(there_are_no_more_guards_than_are_asked_for),
        cmocka_unit_test(a_refused_map_takes_no_guard),
        cmocka_unit_test(a_slab_whose_links_were_overwritten_is_not_unlinked),
        cmocka_unit_test(a_forged_owner_is_told_of_nothing),
        cmocka_unit_test(a_forged_slab_on_the_pending_list_is_not_collected),
        cmocka_unit_test(a_region_whose_links_were_overwritten_is_not_unlinked),
        cmocka_unit_test(a_chunk_whose_links_were_overwritten_is_not_unlinked),
        cmocka_unit_test(a_slab_with_blocks_in_use_does_not_become_empty_by_a_forged_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
