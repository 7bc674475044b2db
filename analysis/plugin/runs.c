#define _GNU_SOURCE
#include "runs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lifetimes.h"
#include "memory.h"

/* Lives in memory at once: about 10 MB. */
#define ROOM 65536u

struct run {
    off_t next, end; /* in the file */
    struct life *buffer;
    unsigned at, filled;
};

struct runs {
    struct life *lives;
    unsigned count;
    int fd; /* -1: none yet */
    off_t size;
    struct run *run;
    unsigned run_count, buffer_room;
    char folder[PATH_MAX];
};

struct runs *runs_new(const char *folder_of)
{
    struct runs *r = memory_new(sizeof(*r));
    char *slash;

    snprintf(r->folder, sizeof(r->folder), "%s", folder_of);
    slash = strrchr(r->folder, '/');
    snprintf(slash ? slash : r->folder, 2, "%s", slash ? "" : ".");
    if (!r->folder[0])
        snprintf(r->folder, sizeof(r->folder), "/");
    r->fd = -1;
    return r;
}

static int by_key(const struct life *x, const struct life *y)
{
    if (x->proc != y->proc)
        return x->proc < y->proc ? -1 : 1;
    if (x->ss != y->ss)
        return x->ss < y->ss ? -1 : 1;
    if (x->mapping != y->mapping)
        return x->mapping < y->mapping ? -1 : 1;
    if (x->slab != y->slab)
        return x->slab < y->slab ? -1 : 1;
    return x->n < y->n ? -1 : x->n > y->n;
}

static int by_key_void(const void *a, const void *b)
{
    return by_key(a, b);
}

static bool write_all(int fd, const void *from, size_t size)
{
    const char *at = from;

    while (size) {
        ssize_t n = write(fd, at, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

/* A file without a name; in two steps where the file system cannot do it in one. */
static int temporary_file(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    char name[PATH_MAX + 16];

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    snprintf(name, sizeof(name), "%s/.hak-XXXXXX", folder);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    return fd;
}

static bool spill(struct runs *r)
{
    off_t size = (off_t)(r->count * sizeof(*r->lives));

    if (r->fd < 0)
        r->fd = temporary_file(r->folder);
    if (r->fd < 0)
        return false;
    qsort(r->lives, r->count, sizeof(*r->lives), by_key_void);
    if (!write_all(r->fd, r->lives, (size_t)size))
        return false;
    r->run = memory_grow(r->run, (r->run_count + 1) * sizeof(*r->run));
    r->run[r->run_count++] = (struct run){r->size, r->size + size, NULL, 0, 0};
    r->size += size;
    r->count = 0;
    return true;
}

bool runs_add(struct runs *r, const struct life *life)
{
    if (!r->lives)
        r->lives = memory_new(ROOM * sizeof(*r->lives));
    if (r->count == ROOM && !spill(r))
        return false;
    r->lives[r->count++] = *life;
    return true;
}

/* Reads the next lives of a run; filled is 0 at its end. */
static bool refill(struct runs *r, struct run *run)
{
    size_t want = r->buffer_room * sizeof(struct life);

    if (want > (size_t)(run->end - run->next))
        want = (size_t)(run->end - run->next);
    run->at = 0;
    run->filled = (unsigned)(want / sizeof(struct life));
    for (size_t got = 0; got < want;) {
        ssize_t n = pread(r->fd, (char *)run->buffer + got, want - got, run->next + (off_t)got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    run->next += (off_t)want;
    return true;
}

static bool less(const struct runs *r, unsigned a, unsigned b)
{
    return by_key(&r->run[a].buffer[r->run[a].at], &r->run[b].buffer[r->run[b].at]) < 0;
}

/* heap[0] is the run with the least life. */
static void sift_down(const struct runs *r, unsigned *heap, unsigned count, unsigned at)
{
    for (;;) {
        unsigned least = at, left = 2 * at + 1, run;

        if (left < count && less(r, heap[left], heap[least]))
            least = left;
        if (left + 1 < count && less(r, heap[left + 1], heap[least]))
            least = left + 1;
        if (least == at)
            return;
        run = heap[at];
        heap[at] = heap[least];
        heap[least] = run;
        at = least;
    }
}

#define BATCHED(count) (batches ? (int64_t)(count) : NO_VALUE)

/* Counts of batches are known where those are recorded; a state dump may tell of blocks in use. */
static void put(struct store *store, struct lifetimes *lifetimes, const struct life *l,
                bool batches)
{
    bool known = l->begin != UNKNOWN, used = batches || l->used_max;

    PUT(store, life, (NULL), l->proc, (int64_t)l->ss, l->mapping, l->slab, l->n, l->gen, l->cls,
        l->begin, l->end, l->ended, l->purged, l->unmapped, l->dumped, known ? l->stage : NO_VALUE,
        known ? l->from_cls : NO_VALUE, l->owner, l->tid, l->capacity ? l->capacity : NO_VALUE,
        l->spells, BATCHED(l->refills), BATCHED(l->refilled), BATCHED(l->pushes),
        BATCHED(l->pushed), BATCHED(l->drains), BATCHED(l->drained), used ? l->used_max : NO_VALUE,
        used ? l->used_last : NO_VALUE, l->certain);
    lifetimes_add(lifetimes, store, l);
}

static bool merge_file(struct runs *r, struct store *store, struct lifetimes *lifetimes,
                       bool batches)
{
    unsigned *heap = memory_new(r->run_count * sizeof(*heap));
    unsigned count = r->run_count;
    bool fine = true;

    r->buffer_room = ROOM / r->run_count ? ROOM / r->run_count : 1;
    for (unsigned i = 0; i < count && fine; i++) {
        heap[i] = i;
        r->run[i].buffer = memory_new(r->buffer_room * sizeof(struct life));
        fine = refill(r, &r->run[i]);
    }
    for (unsigned i = count; fine && i-- > 0;)
        sift_down(r, heap, count, i);
    while (fine && count) {
        struct run *run = &r->run[heap[0]];

        put(store, lifetimes, &run->buffer[run->at++], batches);
        if (run->at == run->filled)
            fine = refill(r, run);
        if (!run->filled)
            heap[0] = heap[--count];
        sift_down(r, heap, count, 0);
    }
    free(heap);
    return fine;
}

bool runs_merge(struct runs *r, struct store *store, bool batches)
{
    struct lifetimes *lifetimes = lifetimes_new();
    bool fine = true;

    if (r->run_count) {
        fine = !r->count || spill(r);
        /* The buffers of the merge take its place. */
        free(r->lives);
        r->lives = NULL;
        fine = fine && merge_file(r, store, lifetimes, batches);
    } else if (r->count) {
        qsort(r->lives, r->count, sizeof(*r->lives), by_key_void);
        for (unsigned i = 0; i < r->count; i++)
            put(store, lifetimes, &r->lives[i], batches);
    }
    lifetimes_flush(lifetimes, store);
    free(lifetimes);
    return fine;
}

void runs_free(struct runs *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->run_count; i++)
        free(r->run[i].buffer);
    if (r->fd >= 0)
        close(r->fd);
    free(r->run);
    free(r->lives);
    free(r);
}
