/*
 * SuperSlabs and slabs: the data model. A SuperSlab is 2^19..2^21 bytes aligned to its size;
 * its first 2,048 bytes hold all that is known of it and of its slabs. This box maps them and
 * answers questions about them; the pool decides what happens to them.
 *
 * Who may touch what of a slab:
 *   info            anyone reads; written by the owner while ACTIVE, by CAS otherwise; kept in
 *                   the page map, where free() finds it by the block's address alone
 *   remote          anyone, atomically
 *   owner           anyone reads; written by the owner, or by whoever just claimed the slab
 *   pending_next    whoever set REMOTE_QUEUED, until the owner takes the pending list
 *   all else        the owner alone
 */
#ifndef HAKMEM_SUPERSLAB_H
#define HAKMEM_SUPERSLAB_H

#include "geometry.h"
#include "pagemap.h"
#include "trace.h"
#include "word.h"

struct owner;

/* A circular doubly linked list of slabs; the owner's. */
struct slab_link {
    struct slab_link *next, *prev;
};

struct slab {
    struct slab_link link; /* on the owner's usable or full list */
    /* Head of the remote queue | REMOTE_* flags. Pushing releases the block's last writes to
     * the owner, who takes the whole queue with acquire. */
    _Atomic uintptr_t remote;
    _Atomic(struct owner *) owner;
    struct slab *pending_next;
    struct block *freelist;
    uint32_t gen;  /* acquisitions so far: one life each */
    uint16_t used; /* blocks not on freelist: the user's, in SLLs, in the remote queue */
    uint16_t nfree;
};

/* remote queue flags; blocks are 8-aligned. QUEUED: somebody is putting, or has put, the slab
 * on its owner's pending list, so the owner must neither give the slab up nor change, until it
 * finds the slab there. UNOWNED: published; nobody to tell. */
#define REMOTE_QUEUED ((uintptr_t)1)
#define REMOTE_UNOWNED ((uintptr_t)2)
#define REMOTE_FLAGS (REMOTE_QUEUED | REMOTE_UNOWNED)

/* PARKED: an EMPTY slab in the hands of whoever gives its memory back. */
enum slab_state { SLAB_UNUSED, SLAB_ACTIVE, SLAB_EMPTY, SLAB_EMPTY_LISTED, SLAB_PARKED };

/* slab info word: class, state, and while ACTIVE the blocks carved so far, else 0: so "is this a
 * block that was handed out" is one comparison for free(), and stages claim a slab by one CAS.
 * In an EMPTY slab all carved blocks are on the freelist: nfree remembers how many. */
static inline uint32_t info_make(unsigned cls, enum slab_state state, unsigned carved)
{
    return cls | (uint32_t)state << 8 | carved << 16;
}

static inline unsigned info_cls(uint32_t info)
{
    return info & 0xff;
}

static inline enum slab_state info_state(uint32_t info)
{
    return (enum slab_state)(info >> 8 & 0xff);
}

static inline unsigned info_carved(uint32_t info)
{
    return info >> 16;
}

struct superslab {
    uint8_t lg;
    uint8_t kind; /* enum hak_ss_kind */
    uint16_t slabs;
    uint32_t id;             /* registry entry */
    _Atomic uint32_t unused; /* bit i: slab i was never bound */
    _Atomic uint32_t reused; /* bit i: slab i was bound since the reclaimer's last look */
    /* The reclaimer's own: slabs it saw EMPTY, those whose memory it gave back, and those whose
     * memory the kernel would not take. */
    uint32_t seen_empty, purged, refused;
    uint64_t retired_at;
    struct superslab *next_kept; /* on the reclaimer's list of retired ones, or the legacy's */
    bool guarded;                /* a guard lies behind it */
    _Alignas(128) struct slab slab[SS_MAX_SLABS];
};

_Static_assert(sizeof(struct superslab) <= SS_HEADER, "all metadata lives in the header");

/* Maps a SuperSlab of 2^lg bytes, in the page map but in no registry; NULL with errno. */
struct superslab *ss_map(unsigned lg, enum hak_ss_kind kind);

/* Unmaps a SuperSlab that nobody else knows, or knows any more; leaves errno alone. */
void ss_unmap(struct superslab *ss);

/* May the OS be asked for one more, or has it just refused? errno as it said then. */
bool ss_may_map(enum hak_ss_kind kind);

/* It may, whatever it answered before. */
void ss_map_may_work(void);

/* Bytes of SuperSlabs mapped now. */
uint64_t ss_mapped_bytes(void);

/* The SuperSlab of 2^lg bytes that p lies in. */
static inline struct superslab *ss_at(const void *p, unsigned lg)
{
    return (struct superslab *)((uintptr_t)p & -((uintptr_t)1 << lg));
}

/* The SuperSlab of p, NULL if p lies in none. */
static inline struct superslab *ss_of(const void *p)
{
    int lg = pagemap_lookup(p);

    return lg > 0 ? ss_at(p, (unsigned)lg) : NULL;
}

static inline struct superslab *slab_ss(const struct slab *s)
{
    return (struct superslab *)((uintptr_t)s & -(uintptr_t)SS_HEADER);
}

static inline unsigned slab_no(const struct slab *s)
{
    return (unsigned)(s - slab_ss(s)->slab);
}

/* Is s, any address, that of a slab? */
static inline bool ss_has(const struct slab *s)
{
    const struct superslab *ss = ss_of(s);

    return ss && (const struct superslab *)slab_ss(s) == ss && slab_no(s) < ss->slabs &&
           s == &ss->slab[slab_no(s)];
}

static inline char *slab_blocks(const struct superslab *ss, unsigned no)
{
    return (char *)(uintptr_t)ss + ((size_t)no << SLAB_LG) + slab_reserved(no);
}

/* The info words of its slabs. Looked up: a write before the first block could change a pointer to
 * them, and then say which blocks were handed out. */
static inline _Atomic uint32_t *ss_info(const struct superslab *ss)
{
    return &pagemap_leaf_below(ss, PAGEMAP_ROOTS)->info[pagemap_slab(ss)];
}

static inline uint32_t slab_info(const struct slab *s)
{
    return atomic_load_explicit(&ss_info(slab_ss(s))[slab_no(s)], memory_order_relaxed);
}

static inline void slab_set_info(struct slab *s, uint32_t info)
{
    atomic_store_explicit(&ss_info(slab_ss(s))[slab_no(s)], info, memory_order_relaxed);
}

/* A state dump reads used and gen while the owner changes them. */
static inline void slab_set_used(struct slab *s, uint32_t used)
{
    __atomic_store_n(&s->used, (uint16_t)used, __ATOMIC_RELAXED);
}

static inline uint32_t slab_used(const struct slab *s)
{
    return __atomic_load_n(&s->used, __ATOMIC_RELAXED);
}

static inline uint32_t slab_gen(const struct slab *s)
{
    return __atomic_load_n(&s->gen, __ATOMIC_RELAXED);
}

static inline unsigned slab_cls(const struct slab *s)
{
    return info_cls(slab_info(s));
}

/* The slab that holds p, a pointer into ss. */
static inline struct slab *ss_slab(struct superslab *ss, const void *p)
{
    return &ss->slab[((uintptr_t)p - (uintptr_t)ss) >> SLAB_LG];
}

/* The first three fields of every slab event. */
static inline struct slab_ref slab_ref(const struct slab *s)
{
    return (struct slab_ref){(uintptr_t)slab_ss(s), slab_no(s), s->gen, slab_cls(s)};
}

/* Gives back to the OS the memory of the slabs in mask, EMPTY and in the caller's hands: they
 * have no free blocks afterwards, and carve all anew. Returns those that went, and their bytes;
 * the others may be locked. */
struct ss_purged {
    uint32_t slabs;
    size_t bytes;
};
struct ss_purged ss_purge(struct superslab *ss, uint32_t mask);

/* Bytes of slab number no that a purge gives back. */
size_t ss_purgeable(unsigned no);

/* Where blocks share cache lines, free() tells an owner's blocks from others' by the upper half of
 * their slab's origin, since the lines of others' blocks are better left to their owner. Just a
 * hint: two owners may have the same tag. */
static inline uint32_t owner_tag(const struct owner *o, unsigned cls)
{
    return class_shares_lines(cls) ? (uint32_t)((uintptr_t)o >> 12) << 16 : 0;
}

/* Makes s a slab of o's; cls is its class. */
void slab_set_owner(struct slab *s, struct owner *o, unsigned cls);

/* Gives a claimed slab to its new owner for a new life of class cls: gen rises; its free blocks
 * stay if the class (in was, its info when claimed) does, and are forgotten otherwise. */
void slab_bind(struct slab *s, struct owner *owner, unsigned cls, uint32_t was);

/* Pushes n free blocks of s, linked first to last, on its remote queue. Returns the flags that
 * were set; none: the caller has become responsible for putting s on its owner's pending list. */
uintptr_t slab_remote_push(struct slab *s, struct block *first, struct block *last, unsigned cls);

/* Takes the whole remote queue of s and the given flags with it. */
struct block *slab_remote_take(struct slab *s, uintptr_t flags);

/* Moves taken remote blocks to the freelist; returns how many. */
unsigned slab_remote_collect(struct slab *s, struct block *chain, unsigned cls);

/* How many blocks wait in the remote queue of s, another's, which may change meanwhile: as far as
 * `most` links tell. */
unsigned slab_remote_count(const struct slab *s, unsigned most);

/* Loses the free blocks of s, the caller's, until nothing of it is live and it is carved anew. */
static inline void slab_lose_free(struct slab *s)
{
    s->freelist = NULL;
    s->nfree = 0;
}

/* The same, of s of which nothing is live: that moment is now. */
static inline void slab_uncarve(struct slab *s)
{
    slab_lose_free(s);
    slab_set_info(s, info_make(slab_cls(s), SLAB_ACTIVE, 0));
}

/* Gives up the free blocks of s, the caller's: they cannot be trusted. All that were carved count
 * as used from now on, so s is never EMPTY again. */
void slab_give_up_free(struct slab *s, uint32_t carved);

#ifdef HAK_DEBUG
/* Ends the process unless the records of s, ACTIVE and the caller's, agree with each other and with
 * its freelist, as far as that can be followed: a program may have written to it. A program that
 * frees blocks twice, unnoticed, makes rings of freelists: a test of that looks away. */
void slab_check(const struct slab *s);
extern HIDDEN bool slab_check_freelists;
#endif

/* Is every block of s, EMPTY and in the caller's hands, indeed free? After a double free that was
 * not noticed the counts say so too early. To be asked before the blocks' memory is put to
 * another use; what is found is reported. */
bool slab_all_free(struct slab *s, unsigned cls);

#endif
