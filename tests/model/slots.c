/*
 * The pool's slots: taken from lists, parked, retired, released, published and adopted by threads
 * in every order. What must hold: a slab has one user at most; a slab in use is on no list; who
 * takes it from a class's list finds it of that class; and nothing is lost: in the end each slab
 * is somebody's, or where the next who wants one finds it.
 */
#include "model.h"

#include <stdio.h>
#include <string.h>

/* The boxes under test, whole. */
/* clang-format off */
#include "registry.c"
#include "unbound.c"
#include "pool.c"
/* clang-format on */

#include "process.h"

/* Class A's lists come first in a search for class B. */
#define B 4u
#define A 5u
#define SLABS 3u
#define NOBODY (-1)

enum place { UNUSED, LISTED, USED, PUBLISHED, RETIRED };

/* What the threads know of each slab. */
static struct {
    enum place place;
    unsigned cls;
} book[SLABS];

static struct superslab *ss;
static struct owner owner[MODEL_THREADS];

/* ---- what the threads do ---- */

static struct owner *me(void)
{
    return &owner[model_self()];
}

static void use(struct slab *s)
{
    model_must(book[slab_no(s)].place == LISTED || book[slab_no(s)].place == UNUSED);
    book[slab_no(s)].place = USED;
}

/* Stage 1 gives what a slab of the class was, or nothing. */
static struct slab *take(unsigned cls)
{
    struct slab *s;

    pool_enter(me());
    s = stage_1(me(), cls).slab;
    if (s) {
        model_must(book[slab_no(s)].cls == cls);
        use(s);
    }
    pool_leave(me());
    return s;
}

static struct slab *rebind(unsigned cls)
{
    struct slab *s;

    pool_enter(me());
    s = stage_rebind(me(), cls).slab;
    if (s) {
        model_must(book[slab_no(s)].cls != cls);
        use(s);
        book[slab_no(s)].cls = cls;
    }
    pool_leave(me());
    return s;
}

static struct slab *unused(unsigned cls)
{
    struct slab *s;

    pool_enter(me());
    s = stage_2(me(), cls).slab;
    if (s) {
        use(s);
        book[slab_no(s)].cls = cls;
    }
    pool_leave(me());
    return s;
}

static void release(struct slab *s)
{
    if (!s)
        return;
    book[slab_no(s)].place = LISTED;
    pool_release(me(), s);
}

/* All its blocks are in use, and its thread ends. */
static void publish(struct slab *s)
{
    if (!s)
        return;
    slab_set_info(s, info_make(book[slab_no(s)].cls, SLAB_ACTIVE, slab_capacity(A, slab_no(s))));
    slab_set_used(s, slab_capacity(A, slab_no(s)));
    __atomic_store_n(&s->remote, REMOTE_UNOWNED, __ATOMIC_RELAXED);
    __atomic_store_n(&s->owner, NULL, __ATOMIC_RELAXED);
    book[slab_no(s)].place = PUBLISHED;
    pool_publish(s);
}

/* Adopts a published slab, if one is to be found. */
static void adopt(unsigned cls)
{
    struct slab *s;

    pool_enter(me());
    (void)stage_adopt(me(), cls);
    s = (struct slab *)me()->cls[cls].full.next;
    if (s != (struct slab *)&me()->cls[cls].full) {
        model_must(book[slab_no(s)].place == PUBLISHED);
        book[slab_no(s)].place = USED;
    }
    pool_leave(me());
}

static void park_and_unpark(unsigned no)
{
    uint32_t was;

    if (!pool_park(ss, no, &was))
        return;
    model_must(book[no].place == LISTED);
    model_must(book[no].cls == info_cls(was));
    pool_unpark(ss, no, was);
}

/* As the reclaimer does it. */
static void retire(void)
{
    uint32_t mask = unbound_take(ss), was[SLABS], parked = 0;
    unsigned no;

    for (no = 0; no < SLABS; no++) {
        if (mask >> no & 1)
            continue;
        if (!pool_park(ss, no, &was[no]))
            break;
        parked |= 1u << no;
    }
    if (no == SLABS) {
        for (no = 0; no < SLABS; no++)
            book[no].place = RETIRED;
        (void)pool_retire(ss);
        return;
    }
    for (no = 0; no < SLABS; no++)
        if (parked >> no & 1)
            pool_unpark(ss, no, was[no]);
    unbound_give(ss, mask);
}

/* ---- what must hold ---- */

/* How often slab number no is on list. */
static unsigned times_on(struct slot_list *list, unsigned no)
{
    uint32_t slot = (uint32_t)list->head;
    unsigned n = 0;

    for (unsigned length = 0; slot != SLOT_NONE; length++) {
        model_must(length < SLABS);
        n += slot == slot_of(&ss->slab[no]);
        slot = atomic_load(next_of(slot));
    }
    return n;
}

static unsigned on_lists(unsigned no)
{
    return times_on(&pool.cls[A].empty, no) + times_on(&pool.cls[B].empty, no) +
           times_on(&pool.cls[A].published, no) + times_on(&pool.cls[B].published, no);
}

static void a_slab_in_use_is_on_no_list(void)
{
    for (unsigned no = 0; no < SLABS; no++)
        model_must(on_lists(no) <= (book[no].place != USED));
}

static void nothing_is_lost(void)
{
    uint32_t listed = 0;

    for (unsigned no = 0; no < SLABS; no++) {
        struct class_pool *cp = &pool.cls[book[no].cls];
        uint32_t slot = slot_of(&ss->slab[no]), info = ss_info(ss)[no];

        if (book[no].place == RETIRED)
            continue;
        model_must(slot_listed(slot) == (on_lists(no) == 1));
        model_must((ss->unused >> no & 1) == (book[no].place == UNUSED));
        if (book[no].place == UNUSED)
            continue;
        model_must(info_cls(info) == book[no].cls);
        model_must(times_on(&cp->empty, no) == (book[no].place == LISTED));
        model_must(times_on(&cp->published, no) == (book[no].place == PUBLISHED));
        model_must(info_state(info) ==
                   (book[no].place == LISTED ? SLAB_EMPTY_LISTED : SLAB_ACTIVE));
        listed += book[no].place == LISTED;
    }
    if (book[0].place != RETIRED)
        model_must(pool.cls[A].listed + pool.cls[B].listed == listed);
}

/* ---- beginnings ---- */

static void all_unused(void)
{
    _Atomic uint32_t *info = ss_info(ss);

    while (demand_active(A))
        demand_drop(A);
    while (demand_active(B))
        demand_drop(B);
    memset(&pool, 0, sizeof(pool));
    pool.epoch = 1;
    memset(entry_of(1), 0, sizeof(struct entry));
    memset(ss->slab, 0, sizeof(ss->slab));
    for (unsigned no = 0; no < SLABS; no++) {
        info[no] = 0;
        book[no].place = UNUSED;
    }
    ss->unused = unbound.count = 0;
    unbound_give(ss, (1u << SLABS) - 1);
    registry_publish(ss);
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        owner_init(&owner[i], 1 + i);
}

/* Slab 0 is EMPTY on class A's list; the others were never bound. */
static void one_empty(void)
{
    all_unused();
    ss->unused = unbound.count = 0;
    unbound_give(ss, 6);
    book[0].place = LISTED;
    book[0].cls = A;
    ss_info(ss)[0] = info_make(A, SLAB_PARKED, 0);
    pool_unpark(ss, 0, info_make(A, SLAB_EMPTY_LISTED, 0));
}

static void two_empty(void)
{
    one_empty();
    ss->unused = unbound.count = 0;
    unbound_give(ss, 4);
    book[1].place = LISTED;
    book[1].cls = A;
    ss_info(ss)[1] = info_make(A, SLAB_PARKED, 0);
    pool_unpark(ss, 1, info_make(A, SLAB_EMPTY_LISTED, 0));
}

/* ---- scenarios ---- */

static void take_a(void)
{
    (void)take(A);
}

static void take_and_release_a(void)
{
    release(take(A));
}

static void take_and_publish_a(void)
{
    publish(take(A));
}

static void adopt_a(void)
{
    adopt(A);
}

static void rebind_b(void)
{
    (void)rebind(B);
}

static void rebind_and_release_b(void)
{
    release(rebind(B));
}

static void unused_and_release_a(void)
{
    release(unused(A));
}

static void park_0(void)
{
    park_and_unpark(0);
}

static void park_0_and_1(void)
{
    park_and_unpark(0);
    park_and_unpark(1);
}

#define HOLDS .always = a_slab_in_use_is_on_no_list, .end = nothing_is_lost

static const struct {
    struct model_scenario s;
    unsigned preemptions;
} scenarios[] = {
    {{"taken while it is parked", one_empty, {take_a, park_0}, HOLDS}, 4},
    {{"taken by two while it is parked", one_empty, {take_a, take_a, park_0}, HOLDS}, 3},
    {{"released while another takes", two_empty, {take_and_release_a, take_and_release_a}, HOLDS},
     4},
    {{"released and parked at once", one_empty, {take_and_release_a, park_0, park_0}, HOLDS}, 3},
    {{"two parked and taken", two_empty, {take_and_release_a, take_a, park_0_and_1}, HOLDS}, 2},
    {{"bound to another class while it is parked",
      one_empty,
      {take_a, rebind_and_release_b, park_0},
      HOLDS},
     3},
    {{"bound twice to another class", one_empty, {rebind_b, rebind_b, park_0}, HOLDS}, 2},
    {{"published after it was parked", one_empty, {take_and_publish_a, park_0}, HOLDS}, 4},
    {{"published and adopted", one_empty, {take_and_publish_a, park_0, adopt_a}, HOLDS}, 3},
    {{"its SuperSlab retired while it is taken", one_empty, {take_a, retire, take_a}, HOLDS}, 3},
    {{"never-bound ones taken and retired",
      all_unused,
      {unused_and_release_a, retire, unused_and_release_a},
      HOLDS},
     2},
};

int main(void)
{
    uint64_t all = 0;
    unsigned failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    config.trace = TRACE_NEVER;
    config.tick = 0;
    process_init();
    trace_early_end();
    ss = ss_map(SS_LG_MIN, HAK_POOL);
    if (!ss || !registry_number(ss))
        return 3;
    ss->slabs = SLABS;
    for (unsigned i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        uint64_t orders = model_check(&scenarios[i].s, scenarios[i].preemptions);

        failed += !orders;
        if (!orders)
            continue;
        printf("  %-45s %9lu orders, at most %u preemptions\n", scenarios[i].s.name,
               (unsigned long)orders, scenarios[i].preemptions);
        all += orders;
    }
    printf("slots: %lu orders, %u scenarios failed\n", (unsigned long)all, failed);
    return failed != 0;
}
