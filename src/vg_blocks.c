#include "vg_blocks.h"

#if HAK_VALGRIND
#include <pthread.h>

#include "config.h"
#include "os.h"

/* A block as it is kept. lead is a power of two. */
struct entry {
    uintptr_t key; /* the complement of its address; 0: free */
    uint64_t size_lead;
};

/* Open addressing, linear probing, at most half full. */
struct table {
    struct entry *at;
    size_t mask, count;
};

/* First in, first out; a ring. */
struct queue {
    struct entry *at;
    size_t mask, first, count;
};

static struct {
    pthread_mutex_t lock;
    struct table live;
    /* Memcheck, too, keeps large blocks apart, and lets go of them first. */
    struct queue large, small;
    size_t waiting_bytes;
} blocks = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Memcheck's --freelist-big-blocks. */
#define LARGE 1000000u
#define FIRST_ROOM (OS_PAGE / sizeof(struct entry))

static struct entry pack(const void *p, struct vg_extent e)
{
    return (struct entry){~(uintptr_t)p, (uint64_t)e.size << 8 | (uint64_t)__builtin_ctzl(e.lead)};
}

static struct vg_extent extent(struct entry e)
{
    return (struct vg_extent){e.size_lead >> 8, (size_t)1 << (e.size_lead & 0xff)};
}

static void unmap(struct entry *at, size_t mask)
{
    if (at)
        (void)os_unmap(at, (mask + 1) * sizeof(*at));
}

/* ---- the table ---- */

static size_t home(const struct table *t, uintptr_t key)
{
    return (size_t)(key * 0x9e3779b97f4a7c15u >> 32) & t->mask;
}

/* Where key is, or would be put. */
static struct entry *place(const struct table *t, uintptr_t key)
{
    size_t i = home(t, key);

    while (t->at[i].key && t->at[i].key != key)
        i = (i + 1) & t->mask;
    return &t->at[i];
}

static bool table_grow(struct table *t)
{
    size_t room = t->at ? (t->mask + 1) * 2 : FIRST_ROOM;
    struct table wider = {os_map(room * sizeof(*t->at)), room - 1, t->count};

    if (!wider.at)
        return false;
    for (size_t i = 0; t->at && i <= t->mask; i++)
        if (t->at[i].key)
            *place(&wider, t->at[i].key) = t->at[i];
    unmap(t->at, t->mask);
    *t = wider;
    return true;
}

/* Empties at, and closes the gap for those whose way leads over it. */
static void table_remove(struct table *t, struct entry *at)
{
    size_t gap = (size_t)(at - t->at);

    for (size_t i = (gap + 1) & t->mask; t->at[i].key; i = (i + 1) & t->mask) {
        size_t from = home(t, t->at[i].key);

        if (((i - from) & t->mask) >= ((i - gap) & t->mask)) {
            t->at[gap] = t->at[i];
            gap = i;
        }
    }
    t->at[gap].key = 0;
    t->count--;
}

bool vg_blocks_add(const void *p, struct vg_extent e)
{
    struct table *t = &blocks.live;
    bool room;

    pthread_mutex_lock(&blocks.lock);
    room = (t->at && t->count * 2 < t->mask) || table_grow(t);
    if (room) {
        *place(t, ~(uintptr_t)p) = pack(p, e);
        t->count++;
    }
    pthread_mutex_unlock(&blocks.lock);
    return room;
}

static struct vg_extent look(const void *p, bool take)
{
    struct table *t = &blocks.live;
    struct vg_extent e = {0, 0};

    pthread_mutex_lock(&blocks.lock);
    if (t->at) {
        struct entry *at = place(t, ~(uintptr_t)p);

        if (at->key)
            e = extent(*at);
        if (at->key && take)
            table_remove(t, at);
    }
    pthread_mutex_unlock(&blocks.lock);
    return e;
}

struct vg_extent vg_blocks_find(const void *p)
{
    return look(p, false);
}

struct vg_extent vg_blocks_remove(const void *p)
{
    return look(p, true);
}

/* ---- the quarantine ---- */

static bool queue_grow(struct queue *q)
{
    size_t room = q->at ? (q->mask + 1) * 2 : FIRST_ROOM;
    struct entry *at = os_map(room * sizeof(*at));

    if (!at)
        return false;
    for (size_t i = 0; i < q->count; i++)
        at[i] = q->at[(q->first + i) & q->mask];
    unmap(q->at, q->mask);
    q->at = at;
    q->mask = room - 1;
    q->first = 0;
    return true;
}

static struct entry queue_take(struct queue *q)
{
    struct entry e = q->at[q->first];

    q->first = (q->first + 1) & q->mask;
    q->count--;
    return e;
}

void vg_blocks_wait(const void *p, struct vg_extent e)
{
    struct queue *q = e.size >= LARGE ? &blocks.large : &blocks.small;

    pthread_mutex_lock(&blocks.lock);
    /* Without memory for its entry a block is not used again. */
    if ((q->at && q->count <= q->mask) || queue_grow(q)) {
        q->at[(q->first + q->count++) & q->mask] = pack(p, e);
        blocks.waiting_bytes += e.size;
    }
    pthread_mutex_unlock(&blocks.lock);
}

void *vg_blocks_waited(void)
{
    char *start = NULL;

    pthread_mutex_lock(&blocks.lock);
    if (blocks.waiting_bytes > config.quarantine) {
        struct entry e = queue_take(blocks.large.count ? &blocks.large : &blocks.small);

        start = (char *)~e.key - extent(e).lead;
        blocks.waiting_bytes -= extent(e).size;
    }
    pthread_mutex_unlock(&blocks.lock);
    return start;
}

void vg_blocks_lock_for_fork(void)
{
    pthread_mutex_lock(&blocks.lock);
}

void vg_blocks_unlock_after_fork(void)
{
    pthread_mutex_unlock(&blocks.lock);
}
#endif
