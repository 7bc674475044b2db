/* The state dump says what is there, slab by slab; out of memory brings one. */
#include "dump.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ace.h"
#include "oom.h"
#include "os.h"
#include "owner.h"
#include "process.h"
#include "reclaim.h"
#include "resident.h"
#include "scenario.h"
#include "tiny.h"
#include "witness.h"

#define E(name, n) (&witness_nth(HAK_EV_##name, n)->name)

static void begin(void)
{
    process_init();
    config.ss_lg = 19;
    witness_begin();
}

/* The dump's word on the slab of p. */
static const struct hak_ev_statedump_slab *told_of(const void *p)
{
    for (unsigned i = 0; i < witness_count(HAK_EV_statedump_slab); i++) {
        const struct hak_ev_statedump_slab *e = E(statedump_slab, i);

        if (e->ss == (uintptr_t)ss_of(p) && e->slab == slab_no(slab_of(p)))
            return e;
    }
    scenario_fail(__FILE__, __LINE__, "the dump has the slab");
}

SCENARIO(every_slab_that_was_bound_is_told_as_it_is)
{
    const struct hak_ev_statedump_slab *e;
    void *eight;

    begin();
    fill_blocks(7, 0, 40);
    eight = hak_malloc(8);
    dump_state(HAK_DUMP_API);
    check_eq(witness_count(HAK_EV_statedump_begin), 1);
    check_eq(E(statedump_begin, 0)->seq, 1);
    check_eq(E(statedump_begin, 0)->why, HAK_DUMP_API);
    check_eq(witness_count(HAK_EV_statedump_superslab), 1);
    check_eq(E(statedump_superslab, 0)->unused, 0xf8);
    check_eq(witness_count(HAK_EV_statedump_slab), 3);
    e = told_of(block[0]);
    check_eq(e->state, HAK_DUMPED_ACTIVE);
    check_eq(e->cls, 7);
    check_eq(e->gen, 1);
    check_eq(e->owner, tls.owner->id);
    check_eq(e->carved, 31);
    check_eq(e->used, 31);
    check_eq(e->capacity, 31);
    check_eq(told_of(eight)->cls, 0);
    check_eq(E(statedump_end, 0)->superslabs, 1);
    check_eq(E(statedump_end, 0)->slabs, 3);
    check_eq(witness_count(HAK_EV_statedump_class), CLASSES);
    check_eq(E(statedump_class, 7)->active, 2);
    check_eq(E(statedump_class, 7)->frozen, 0);
    check(E(statedump_process, 0)->rss > 0);
    check_eq(E(statedump_process, 0)->superslab_bytes, 1 << 19);
}

/* Memory that is shared with children, and the tracer's buffers, are told apart. */
SCENARIO(shared_memory_is_told_and_what_the_tracer_has_mapped_of_it)
{
    static const char name[] = "/dev/shm/shm-ust-hakmem-unit";
    size_t own = 5 << 20, tracers = 3 << 20;
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    char *p = mmap(NULL, own, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *q;

    check(fd >= 0 && p != MAP_FAILED);
    (void)unlink(name);
    check_eq(ftruncate(fd, (off_t)tracers), 0);
    q = mmap(NULL, tracers, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(q != MAP_FAILED);
    memset(p, 1, own);
    memset(q, 1, tracers);
    begin();
    dump_state(HAK_DUMP_API);
    check_eq(E(statedump_process, 0)->shmem, own + tracers);
    check_eq(E(statedump_limits, 0)->tracer, tracers);
    check(E(statedump_process, 0)->maps > 10);
}

/* The last dump's word on a layer. */
static const struct hak_ev_statedump_pool *told_of_layer(enum hak_ace_layer layer)
{
    unsigned n = witness_count(HAK_EV_statedump_pool);

    return E(statedump_pool, n - (HAK_HUGE - layer) - 1);
}

/* Of slabs what was carved, and of large and huge blocks what was written to. */
SCENARIO(what_is_in_memory_is_told_as_the_kernel_has_it)
{
    const struct hak_ev_statedump_process *e;
    char *large, *huge;
    size_t page = os_page();

    begin();
    fill_blocks(7, 0, 40);
    large = hak_malloc(500 << 10);
    huge = hak_malloc(8 << 20);
    large[0] = large[100 << 10] = 1;
    memset(huge, 1, 3 << 20);
    dump_state(HAK_DUMP_API);
    e = E(statedump_process, 0);
    check(e->looked);
    check(E(statedump_class, 7)->resident >= 40 * 2048 - SS_HEADER);
    check(E(statedump_class, 7)->resident <= 40 * 2048 + 2 * page);
    check_eq(told_of_layer(HAK_LARGE)->resident, 2 * page);
    check_eq(told_of_layer(HAK_HUGE)->resident, 3 << 20);
    check_eq(told_of_layer(HAK_HUGE)->cached, 0);
    check_eq(told_of_layer(HAK_HUGE)->limit, 0);
    check_eq(e->empty_resident, 0);
    check_eq(e->unbound_resident, 0);
    check(e->headers >= SS_HEADER && e->headers <= SS_HEADER + 4 * page);
    check(e->tables >= 3 * page && e->tables <= 1 << 20);
    check(e->tables + e->headers + (3 << 20) <= e->anon);

    hak_free(huge);
    free_blocks(7, 0, 40);
    hak_drain();
    dump_state(HAK_DUMP_API);
    check_eq(told_of_layer(HAK_HUGE)->idle, 8 << 20);
    check(E(statedump_process, 1)->empty_resident > 0);
    ace_reclaim();
    reclaim_now();
    dump_state(HAK_DUMP_API);
    check_eq(told_of_layer(HAK_HUGE)->resident, 0);
    check_eq(E(statedump_process, 2)->empty_resident, 0);
}

SCENARIO(sums_do_not_look_again_before_a_thousand_times_the_cost_has_passed)
{
    const size_t much = (size_t)64 << 20;
    struct resident r;
    void *p;

    begin();
    p = hak_malloc(much);
    memset(p, 1, much);
    resident_take(&r, false);
    check(r.known);
    resident_take(&r, false);
    check(!r.known);
    check_eq(r.layer[HAK_HUGE], 0);
    resident_take(&r, true);
    check(r.known && r.layer[HAK_HUGE] == much);
}

SCENARIO(empty_slabs_and_purged_ones_are_told)
{
    begin();
    fill_blocks(7, 0, 255);
    free_blocks(7, 0, 255);
    hak_drain();
    reclaim_aged();
    reclaim_aged();
    dump_state(HAK_DUMP_API);
    for (unsigned i = 0; i < 8; i++)
        check_eq(E(statedump_slab, i)->state, HAK_DUMPED_EMPTY_LISTED);
    check_eq(__builtin_popcount(E(statedump_superslab, 0)->purged), 7);
    check_eq(E(statedump_process, 0)->purged_bytes, 7 * SLAB_SIZE - os_page());
}

SCENARIO(the_legacy_backend_s_slabs_are_told_too)
{
    unsigned legacy = 0;

    begin();
    check_eq(hak_set_cap(7, 1), 0);
    fill_blocks(7, 0, 40);
    dump_state(HAK_DUMP_API);
    for (unsigned i = 0; i < witness_count(HAK_EV_statedump_superslab); i++)
        legacy += E(statedump_superslab, i)->kind == HAK_LEGACY;
    check_eq(legacy, 1);
    check_eq(told_of(block[39])->owner, OWNER_LEGACY);
    check_eq(E(statedump_class, 7)->frozen, 1);
    check_eq(E(statedump_class, 7)->shared_fail, class_now(7).shared_fail);
}

/* ---- what threads keep ---- */

static pthread_barrier_t both;

/* Takes 40 blocks of C5, gives 30 of them back, and waits until it has been looked at. */
static void *keeper(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 40; i++)
        block[i] = hak_malloc(200);
    for (unsigned i = 10; i < 40; i++)
        hak_free(block[i]);
    pthread_barrier_wait(&both);
    pthread_barrier_wait(&both);
    return NULL;
}

static pthread_t keeper_begin(void)
{
    pthread_t thread;

    pthread_barrier_init(&both, NULL, 2);
    check_eq(pthread_create(&thread, NULL, keeper, NULL), 0);
    pthread_barrier_wait(&both);
    return thread;
}

static void keeper_end(pthread_t thread)
{
    pthread_barrier_wait(&both);
    check_eq(pthread_join(thread, NULL), 0);
}

/* The word of dump `seq` on the thread that owns the slab of p; NULL if it has none. */
static const struct hak_ev_statedump_thread *told_of_thread(uint32_t owner, uint32_t seq)
{
    for (unsigned i = 0; i < witness_count(HAK_EV_statedump_thread); i++) {
        const struct hak_ev_statedump_thread *e = E(statedump_thread, i);

        if (e->owner == owner && e->seq == seq)
            return e;
    }
    return NULL;
}

SCENARIO(threads_tell_what_is_parked_with_them_while_they_live)
{
    const struct hak_ev_statedump_thread *e;
    pthread_t thread;
    uint32_t owner;

    begin();
    thread = keeper_begin();
    owner = atomic_load(&slab_of(block[0])->owner)->id;
    dump_state(HAK_DUMP_API);
    e = told_of_thread(owner, 1);
    check(e != NULL);
    check(e->parked >= 30 && e->parked < 30 + 256);
    check_eq(e->parked_bytes, e->parked * 256);
    check_eq(E(statedump_class, 5)->parked, e->parked);
    check_eq(told_of(block[0])->used, 10 + e->parked);
    check(e->tid != 0 && e->cpu_ns != 0);
    keeper_end(thread);
    dump_state(HAK_DUMP_API);
    check(told_of_thread(owner, 2) == NULL);
    check_eq(E(statedump_class, CLASSES + 5)->parked, 0);
}

SCENARIO(blocks_on_their_way_home_are_told_with_their_slab)
{
    pthread_t thread;

    begin();
    thread = keeper_begin();
    for (unsigned i = 0; i < 10; i++)
        hak_free(block[i]);
    hak_drain();
    dump_state(HAK_DUMP_API);
    check_eq(told_of(block[0])->remote, 10);
    keeper_end(thread);
    witness_forget();
    dump_state(HAK_DUMP_API);
    check_eq(told_of(block[0])->remote, 0);
}

SCENARIO(misuse_from_before_is_told)
{
    void *volatile b;

    begin();
    b = hak_malloc(200);
    hak_free(b);
    hak_free(b);
    dump_state(HAK_DUMP_API);
    check_eq(E(statedump_process, 0)->double_frees, 1);
    check_eq(E(statedump_process, 0)->hdr_resets, 0);
    check_eq(E(statedump_process, 0)->invalid_frees, 0);
}

SCENARIO(limits_of_every_kind_are_told)
{
    struct rlimit data = {(rlim_t)1 << 40, RLIM_INFINITY};
    void *page = mmap(NULL, os_page(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const struct hak_ev_statedump_limits *e;

    begin();
    check_eq(setrlimit(RLIMIT_DATA, &data), 0);
    check_eq(mlock(page, os_page()), 0);
    dump_state(HAK_DUMP_API);
    e = E(statedump_limits, 0);
    check_eq(e->limit_data, data.rlim_cur);
    check_eq(e->locked, os_page());
    check(e->data > os_page() && e->data < e->limit_data);
    check_eq(munlock(page, os_page()), 0);
    dump_state(HAK_DUMP_SUMS);
    check_eq(witness_count(HAK_EV_statedump_limits), 1);
}

SCENARIO(requests_are_sampled_off_the_fast_path)
{
    begin();
    for (unsigned i = 0; i < 500; i++)
        block[i] = hak_malloc(200);
    dump_state(HAK_DUMP_API);
    check(E(statedump_class, 5)->samples >= 2);
    check(E(statedump_class, 5)->samples < 100);
    check_eq(E(statedump_class, 5)->sampled, E(statedump_class, 5)->samples * 200);
    check_eq(E(statedump_class, 6)->samples, 0);
}

SCENARIO(a_refusal_of_the_system_brings_one_dump)
{
    begin();
    dump_tick(1);
    for (unsigned i = 0; i < 5; i++)
        dump_map_fail(1 << 20);
    check_eq(witness_count(HAK_EV_statedump_end), 2);
    check_eq(E(statedump_begin, 1)->why, HAK_DUMP_MAP_FAIL);
    check(E(statedump_process, 1)->memory > 0);
    check(E(statedump_process, 1)->commit_limit > 0);
}

static void fork_once(void *unused)
{
    int status;
    pid_t pid = fork();

    (void)unused;
    if (pid == 0) {
        witness_hook(NULL);
        dump_state(HAK_DUMP_API);
        _exit(witness_count(HAK_EV_statedump_end) == 1 ? 0 : 1);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check_eq(status, 0);
}

static void fork_in_the_middle(void)
{
    static bool forked;

    if (forked || !witness_count(HAK_EV_statedump_class))
        return;
    forked = true;
    in_a_thread(fork_once, NULL);
}

SCENARIO(a_fork_in_the_middle_of_a_dump_leaves_the_child_able_to_make_one)
{
    begin();
    witness_hook(fork_in_the_middle);
    dump_state(HAK_DUMP_API);
    check_eq(witness_count(HAK_EV_statedump_end), 1);
}

SCENARIO(a_session_that_begins_gets_one_dump_and_one_that_asks_gets_more)
{
    begin();
    witness_want(HAK_EV_statedump_begin, false);
    dump_tick(1);
    check_eq(witness_count(HAK_EV_statedump_end), 0);
    witness_want(HAK_EV_statedump_begin, true);
    witness_want(HAK_EV_statedump_periodic, false);
    dump_tick(2);
    dump_tick(3);
    check_eq(witness_count(HAK_EV_statedump_end), 1);
    /* Once more: the session may not have been started. */
    dump_tick(3 + 10000000000u);
    dump_tick(3 + 20000000000u);
    check_eq(witness_count(HAK_EV_statedump_end), 2);
    check_eq(E(statedump_begin, 0)->why, HAK_DUMP_SESSION);
    check_eq(E(statedump_begin, 1)->why, HAK_DUMP_SESSION);
    witness_want(HAK_EV_statedump_periodic, true);
    dump_tick(3 + 20000000000u);
    dump_tick(3 + 20500000000u);
    check_eq(witness_count(HAK_EV_statedump_end), 3);
    check_eq(E(statedump_begin, 2)->why, HAK_DUMP_PERIODIC);
    dump_tick(3 + 26000000000u);
    check_eq(witness_count(HAK_EV_statedump_end), 4);
    check_eq(witness_count(HAK_EV_statedump_periodic), 2);
}

SCENARIO(a_session_that_begins_beside_another_gets_a_dump_too)
{
    begin();
    witness_want(HAK_EV_statedump_periodic, false);
    dump_tick(1);
    dump_tick(2);
    check_eq(witness_count(HAK_EV_statedump_end), 1);
    witness_join(HAK_EV_statedump_begin);
    dump_tick(3);
    dump_tick(4);
    check_eq(witness_count(HAK_EV_statedump_end), 2);
    check_eq(E(statedump_begin, 1)->why, HAK_DUMP_SESSION);
}

/* The why of the n-th dump. */
static uint32_t why(unsigned n)
{
    return E(statedump_begin, n)->why;
}

SCENARIO(sums_come_every_second_and_name_no_slab)
{
    begin();
    fill_blocks(7, 0, 3);
    dump_tick(1);
    dump_tick(1 + 300000000u);
    witness_forget();
    dump_tick(1200000000u);
    check_eq(witness_count(HAK_EV_statedump_begin), 0);
    dump_tick(1400000000u);
    check_eq(witness_count(HAK_EV_statedump_end), 1);
    check_eq(why(0), HAK_DUMP_SUMS);
    check_eq(E(statedump_begin, 0)->details, 0);
    check_eq(witness_count(HAK_EV_statedump_slab), 0);
    check_eq(witness_count(HAK_EV_statedump_thread), 0);
    check_eq(E(statedump_class, 7)->slabs, 1);
    check_eq(E(statedump_class, 7)->used - E(statedump_class, 7)->parked, 3);
}

/* Some 650 slabs, each an event. */
SCENARIO(dumps_of_a_large_process_come_rarer)
{
    uint64_t last = 0, gap = 0;

    begin();
    fill_blocks(7, 0, 20000);
    dump_tick(1);
    dump_tick(1 + 300000000u);
    for (uint64_t now = 1000000000u; now < 60 * 1000000000ull; now += 150000000u) {
        witness_forget();
        dump_tick(now);
        if (!witness_count(HAK_EV_statedump_begin) || why(0) != HAK_DUMP_PERIODIC)
            continue;
        gap = last ? now - last : 0;
        last = now;
    }
    check(gap > 6000000000u);
    check(gap < 12000000000u);
}

SCENARIO(a_process_that_grows_at_once_is_dumped_before_the_next_is_due)
{
    begin();
    dump_tick(1);
    dump_tick(1 + 300000000u);
    dump_tick(1500000000u);
    witness_forget();
    fill_blocks(7, 0, 10000);
    dump_tick(1600000000u);
    check_eq(witness_count(HAK_EV_statedump_end), 1);
    check_eq(why(0), HAK_DUMP_GROWN);
    witness_forget();
    dump_tick(3000000000u);
    check_eq(witness_count(HAK_EV_statedump_end), 1);
    check_eq(why(0), HAK_DUMP_SUMS);
}

/* Of 128 blocks of a slab one is left, of another all. */
SCENARIO(slabs_that_few_blocks_keep_are_summed_up)
{
    void *p[3 * 128];

    begin();
    for (unsigned i = 0; i < 3 * 128; i++)
        p[i] = hak_malloc(500);
    for (unsigned i = 1; i < 3 * 128; i++)
        if (slab_of(p[i]) == slab_of(p[0]))
            hak_free(p[i]);
    hak_drain();
    dump_state(HAK_DUMP_SUMS);
    check_eq(E(statedump_class, 6)->sparse, 1);
    check(E(statedump_class, 6)->sparse_free >= 100);
}

SCENARIO(a_process_that_ends_tells_its_state)
{
    begin();
    dump_at_exit();
    check_eq(witness_count(HAK_EV_statedump_end), 1);
    check_eq(E(statedump_begin, 0)->why, HAK_DUMP_EXIT);
    witness_want(HAK_EV_statedump_periodic, false);
    dump_at_exit();
    check_eq(witness_count(HAK_EV_statedump_end), 1);
}

SCENARIO(a_session_that_enables_its_transitions_later_gets_another_dump)
{
    begin();
    witness_want(HAK_EV_statedump_periodic, false);
    witness_want(HAK_EV_slab_empty, false);
    dump_tick(1);
    dump_tick(2);
    check_eq(witness_count(HAK_EV_statedump_end), 1);
    check_eq(E(statedump_begin, 0)->transitions, 0);
    witness_want(HAK_EV_slab_empty, true);
    dump_tick(3);
    dump_tick(4);
    check_eq(witness_count(HAK_EV_statedump_end), 2);
    check_eq(E(statedump_begin, 1)->why, HAK_DUMP_SESSION);
    check_eq(E(statedump_begin, 1)->transitions, 1);
}

SCENARIO(a_dump_that_could_not_look_at_the_pool_says_so)
{
    begin();
    fill_blocks(7, 0, 3);
    reclaim_fork(FORK_LOCK);
    dump_state(HAK_DUMP_API);
    reclaim_fork(FORK_PARENT);
    check_eq(witness_count(HAK_EV_statedump_superslab), 0);
    check_eq(E(statedump_end, 0)->whole, 0);
    dump_state(HAK_DUMP_API);
    check_eq(witness_count(HAK_EV_statedump_superslab), 1);
    check_eq(E(statedump_end, 1)->whole, 1);
    check_eq(E(statedump_end, 1)->threads, witness_count(HAK_EV_statedump_thread) / 2);
}

SCENARIO(out_of_memory_is_an_event_a_dump_and_a_report_once_a_second)
{
    begin();
    fill_blocks(7, 0, 3);
    errno = EINTR;
    for (unsigned i = 0; i < 100; i++)
        oom(12345, 0, ENOMEM);
    check_eq(errno, EINTR);
    check_eq(witness_count(HAK_EV_oom), 100);
    check(witness_count(HAK_EV_statedump_end) >= 1);
    check(witness_count(HAK_EV_statedump_end) <= 2);
    check_eq(E(statedump_begin, 0)->why, HAK_DUMP_OOM);
    check(said_times("hakmem: out of memory: 12345 bytes") <= 2);
    check(said_times("hakmem:   C7      2048       1") >= 1);
}

SCENARIO(a_request_that_no_machine_could_serve_is_an_event_only)
{
    begin();
    check(hak_malloc(PTRDIFF_MAX) == NULL);
    check(hak_malloc(SIZE_MAX) == NULL);
    check_eq(witness_count(HAK_EV_oom), 2);
    check_eq(witness_count(HAK_EV_statedump_end), 0);
    check_eq(said_times("out of memory"), 0);
}

SCENARIO(the_report_can_be_switched_off)
{
    begin();
    config.oom_report = 0;
    oom(12345, 0, ENOMEM);
    check_eq(said_times("out of memory"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_slab_that_was_bound_is_told_as_it_is),
        cmocka_unit_test(shared_memory_is_told_and_what_the_tracer_has_mapped_of_it),
        cmocka_unit_test(what_is_in_memory_is_told_as_the_kernel_has_it),
        cmocka_unit_test(sums_do_not_look_again_before_a_thousand_times_the_cost_has_passed),
        cmocka_unit_test(empty_slabs_and_purged_ones_are_told),
        cmocka_unit_test(the_legacy_backend_s_slabs_are_told_too),
        cmocka_unit_test(threads_tell_what_is_parked_with_them_while_they_live),
        cmocka_unit_test(blocks_on_their_way_home_are_told_with_their_slab),
        cmocka_unit_test(misuse_from_before_is_told),
        cmocka_unit_test(limits_of_every_kind_are_told),
        cmocka_unit_test(requests_are_sampled_off_the_fast_path),
        cmocka_unit_test(a_refusal_of_the_system_brings_one_dump),
        cmocka_unit_test(a_fork_in_the_middle_of_a_dump_leaves_the_child_able_to_make_one),
        cmocka_unit_test(a_session_that_begins_gets_one_dump_and_one_that_asks_gets_more),
        cmocka_unit_test(a_session_that_begins_beside_another_gets_a_dump_too),
        cmocka_unit_test(sums_come_every_second_and_name_no_slab),
        cmocka_unit_test(slabs_that_few_blocks_keep_are_summed_up),
        cmocka_unit_test(dumps_of_a_large_process_come_rarer),
        cmocka_unit_test(a_process_that_grows_at_once_is_dumped_before_the_next_is_due),
        cmocka_unit_test(a_process_that_ends_tells_its_state),
        cmocka_unit_test(a_session_that_enables_its_transitions_later_gets_another_dump),
        cmocka_unit_test(a_dump_that_could_not_look_at_the_pool_says_so),
        cmocka_unit_test(out_of_memory_is_an_event_a_dump_and_a_report_once_a_second),
        cmocka_unit_test(a_request_that_no_machine_could_serve_is_an_event_only),
        cmocka_unit_test(the_report_can_be_switched_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
