/*
 * pass_blocks [-t threads] [-l lives] [-o operations] [-s seed] [-n] [-x] [-b] [-e]
 *
 * Threads allocate blocks of all sizes, fill them with a pattern, pass them to each other through
 * mailboxes, check what they hold when they free them, end, and are replaced by others, until so
 * many lives are over. No two live blocks may overlap (-n: without that check), and at the end
 * nothing may be left: see at_the_end.c. -x: one block in sixteen is of any size up to 4 MiB, and
 * memory that was only just freed goes back to the system all the time. -b: half of the blocks are
 * big, up to 4 MiB. -e: memory may end; who gets NULL and ENOMEM goes on without.
 */
#include <errno.h>
#include <pthread.h>

#ifndef PLAIN
#include "ace.h"
#include "os.h"
#include "trim.h"
#endif
#include "at_the_end.h"
#include "pattern.h"
#include "shadow.h"

#define THREADS_MAX 64
#define MAILBOXES 16
#define MAILBOX_ROOM 128
#define HOLD 256

uint64_t stress_seed;
static unsigned threads = 6, lives = 120, operations = 12000;
static bool with_shadow = true, to_extremes, big, memory_may_end;
static _Atomic uint64_t allocated, passed, refused;

static struct {
    pthread_mutex_t lock;
    unsigned count;
    struct parcel parcel[MAILBOX_ROOM];
} mailbox[MAILBOXES];

/* A thread's own: its random numbers and the blocks it holds. */
struct life {
    uint64_t random;
    uint64_t allocated, passed, refused;
    unsigned held;
    struct parcel parcel[HOLD];
};

static uint64_t below(struct life *me, uint64_t n)
{
    return random_next(&me->random) % n;
}

static void take_over(struct parcel *a)
{
    pattern_fill(a);
    if (with_shadow)
        shadow_claim(a->p, a->filled);
}

static void let_go(struct parcel *a)
{
    pattern_check(a, a->p, a->filled);
    if (with_shadow)
        shadow_give_up(a->p, a->filled);
}

/* Mostly 0..2,048, each as likely; small ones more often; a few above. */
static size_t any_size(struct life *me)
{
    /* Each doubling is as likely. */
    if (to_extremes && below(me, 16) == 0)
        return below(me, (size_t)4096 << below(me, 11));
    /* Each doubling from 64 bytes up to 4 MiB is as likely. */
    if (big && below(me, 2))
        return below(me, (64u << below(me, 17)) + 1);
    switch (below(me, 16)) {
    case 0: return 2049 + below(me, 60000);
    case 1:
    case 2:
    case 3: return below(me, 65);
    default: return below(me, 2049);
    }
}

/* NULL was the answer to a request for size bytes. */
static void no_memory(struct life *me, size_t size)
{
    if (!memory_may_end || errno != ENOMEM)
        broken("no memory for %zu bytes, errno %d", size, errno);
    me->refused++;
}

static void allocate(struct life *me)
{
    struct parcel *a = &me->parcel[me->held];
    size_t align = 1;

    a->size = any_size(me);
    switch (below(me, 8)) {
    case 0:
        a->p = stress_calloc(1, a->size);
        if (a->p)
            zero_check(a);
        break;
    case 1:
        align = (size_t)8 << below(me, 10);
        a->p = stress_memalign(align, a->size);
        break;
    default: a->p = stress_malloc(a->size);
    }
    if (!a->p) {
        no_memory(me, a->size);
        return;
    }
    if ((uintptr_t)a->p % align || (uintptr_t)a->p % (a->size > 8 ? 16 : 8))
        broken("%p: %zu bytes, alignment %zu", (void *)a->p, a->size, align);
    take_over(a);
    me->held++;
    me->allocated++;
}

static void release(struct life *me, unsigned i)
{
    let_go(&me->parcel[i]);
    stress_free(me->parcel[i].p);
    me->parcel[i] = me->parcel[--me->held];
}

static void change_size(struct life *me, unsigned i)
{
    struct parcel *a = &me->parcel[i], old = *a;
    size_t size = any_size(me);

    if (!size)
        return;
    let_go(a);
    a->p = stress_realloc(old.p, size);
    if (!a->p) {
        no_memory(me, size);
        *a = old;
        pattern_check(a, a->p, a->filled);
        take_over(a);
        return;
    }
    a->size = size;
    pattern_check(&old, a->p, old.size < size ? old.size : size);
    take_over(a);
}

/* Puts block i into any mailbox; false if that is full. */
static bool send(struct life *me, unsigned i)
{
    unsigned box = (unsigned)below(me, MAILBOXES);
    bool room;

    pthread_mutex_lock(&mailbox[box].lock);
    room = mailbox[box].count < MAILBOX_ROOM;
    if (room)
        mailbox[box].parcel[mailbox[box].count++] = me->parcel[i];
    pthread_mutex_unlock(&mailbox[box].lock);
    if (room) {
        me->parcel[i] = me->parcel[--me->held];
        me->passed++;
    }
    return room;
}

static void receive(struct life *me, unsigned box)
{
    pthread_mutex_lock(&mailbox[box].lock);
    while (mailbox[box].count && me->held < HOLD)
        me->parcel[me->held++] = mailbox[box].parcel[--mailbox[box].count];
    pthread_mutex_unlock(&mailbox[box].lock);
}

static void *live(void *number)
{
    struct life me = {.random = stress_seed ^ (uint64_t)(uintptr_t)number << 40};

    for (unsigned i = 0; i < operations; i++) {
        uint64_t what = below(&me, 16);
        unsigned any = me.held ? (unsigned)below(&me, me.held) : 0;

        if (me.held == HOLD)
            what = 8 + what % 8;
        if (what < 8 || !me.held)
            allocate(&me);
        else if (what < 12)
            release(&me, any);
        else if (what == 12)
            change_size(&me, any);
        else if (what < 15)
            (void)send(&me, any);
        else
            receive(&me, (unsigned)below(&me, MAILBOXES));
    }
    /* Half of what is left outlives its thread, if there is room for it. */
    while (me.held)
        if (me.held % 2 || !send(&me, me.held - 1))
            release(&me, me.held - 1);
    allocated += me.allocated;
    passed += me.passed;
    refused += me.refused;
    return NULL;
}

#ifndef PLAIN
static _Atomic bool over;

/* The tick, in a hurry. */
static void *give_back(void *unused)
{
    uint64_t now = 0;

    while (!over) {
        ace_tick(now += 1000000000);
        if (now % 64000000000 == 0)
            (void)trim_all();
        usleep(500);
    }
    return unused;
}
#endif

static void start(pthread_t *thread, uintptr_t number)
{
    if (pthread_create(thread, NULL, live, (void *)number) != 0)
        broken("no thread");
}

static void arguments(int argc, char **argv)
{
    const char *seed = getenv("SEED");
    int option;

    while ((option = getopt(argc, argv, "t:l:o:s:nxbe")) != -1) {
        switch (option) {
        case 't': threads = (unsigned)atoi(optarg); break;
        case 'l': lives = (unsigned)atoi(optarg); break;
        case 'o': operations = (unsigned)atoi(optarg); break;
        case 's': seed = optarg; break;
        case 'n': with_shadow = false; break;
        case 'x': to_extremes = true; break;
        case 'b': big = true; break;
        case 'e': memory_may_end = true; break;
        default: exit(2);
        }
    }
    if (!threads || threads > THREADS_MAX || lives < threads)
        exit(2);
    stress_seed = seed_of(seed);
}

int main(int argc, char **argv)
{
    pthread_t thread[THREADS_MAX];
#ifndef PLAIN
    pthread_t hurry;
#endif
    struct life last = {.random = 0};

    arguments(argc, argv);
    for (unsigned i = 0; i < MAILBOXES; i++)
        pthread_mutex_init(&mailbox[i].lock, NULL);
#ifndef PLAIN
    if (to_extremes && pthread_create(&hurry, NULL, give_back, NULL) != 0)
        broken("no thread");
#endif
    for (unsigned i = 0; i < threads; i++)
        start(&thread[i], i);
    for (unsigned i = threads; i < lives + threads; i++) {
        pthread_join(thread[i % threads], NULL);
        if (i < lives)
            start(&thread[i % threads], i);
    }
    for (unsigned box = 0; box < MAILBOXES; box++) {
        receive(&last, box);
        while (last.held)
            release(&last, last.held - 1);
    }
#ifndef PLAIN
    over = true;
    if (to_extremes)
        pthread_join(hurry, NULL);
#endif
    at_the_end(memory_may_end);
    printf("seed %lu: %lu blocks, %lu passed on, %lu refused\n", stress_seed, (uint64_t)allocated,
           (uint64_t)passed, (uint64_t)refused);
    return 0;
}
