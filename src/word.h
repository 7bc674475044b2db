/*
 * The free block: its link and the word behind it. Every free block of stride >= 16 carries
 *
 *     offset 0   next free block of the list it is on
 *     offset 8   the word:  bits 0..7   header, 0xa0 | class
 *                           bits 8..63  hash of the address by the class's key
 *                           bits 40..63 xor a hash of the link
 *
 * wherever it waits: TLS SLL, slab freelist or remote queue. Intact: fine. Damaged while free:
 * somebody wrote to freed memory (header reset). Bits 0..39 intact at free(): double free.
 * The hash means that a damaged link is seen before it is followed. It is inverted while the
 * block waits in its slab, so that a block which a double free brought to two places (unnoticed,
 * because its word was overwritten in between) is whole in one of them only. And a word is good
 * for one hand-out: it is cleared then, and a block whose link is not as it should be is given up.
 * So no block is ever handed out to two users at once.
 *
 * The 8-byte blocks of C0 have room for one word, which is both:
 *
 *     offset 0   bits 0..44  next free block, an eighth of its address
 *                bits 45..63 a hash of the link, inverted while the block waits in its slab
 *                xor the hash of the address by the class's key
 *
 * and a link out of it is believed only if it leads to a block of C0 or nowhere, which is as
 * unlikely for any other word as that the 40 bits of the other classes agree.
 *
 * Both hashes multiply by secrets of the process. Who has read a free block knows the address's
 * hash for that block alone, and not what other link its word would agree with.
 *
 * Whoever owns the list owns its blocks' first 16 bytes; no lock of its own.
 */
#ifndef HAKMEM_WORD_H
#define HAKMEM_WORD_H

#include "base.h"
#include "trace.h"

struct block {
    struct block *next;
    uint64_t word;
};

/* Per class: a secret above the header byte. Set before the first block is handed out, constant
 * afterwards, like the multipliers. */
extern HIDDEN uint64_t word_key[CLASSES];

/* Odd; that of addresses shifted above the header byte. */
struct word_multipliers {
    uint64_t address, link;
};

extern HIDDEN struct word_multipliers word_by;

/* seed: 16 random bytes. */
void word_init(const uint64_t seed[2]);

/* The word of a free block at b, but for its link; key is its class's. */
static inline uint64_t word_keyed(const struct block *b, uint64_t key)
{
    return (uint64_t)(uintptr_t)b * word_by.address ^ key;
}

static inline uint64_t word_base(const struct block *b, unsigned cls)
{
    return word_keyed(b, word_key[cls]);
}

/* 24 bits in their place above bit 39, each of which depends on many bits of the link. */
static inline uint64_t word_hash(const struct block *next)
{
    return (uint64_t)(uintptr_t)next * word_by.link >> 40 << 40;
}

static inline uint64_t word_of(const struct block *b, const struct block *next, unsigned cls)
{
    return word_base(b, cls) ^ word_hash(next);
}

/* For the fast paths, which have the key at hand, of a class other than C0. */
static inline void word_link(struct block *b, struct block *next, uint64_t key)
{
    b->next = next;
    b->word = word_keyed(b, key) ^ word_hash(next);
}

static inline bool word_intact(const struct block *b, uint64_t key)
{
    return b->word == (word_keyed(b, key) ^ word_hash(b->next));
}

static inline bool word_looks_free(const struct block *b, uint64_t key)
{
    return (b->word ^ word_keyed(b, key)) << 24 == 0;
}

/* ---- the one word of C0's blocks, which lies where others have their link ---- */

#define SHORT_LINK_BITS 45
#define SHORT_IN_SLAB (~(uint64_t)0 << SHORT_LINK_BITS)

static inline uint64_t short_get(const struct block *b)
{
    return (uint64_t)(uintptr_t)b->next;
}

static inline void short_set(struct block *b, uint64_t word)
{
    b->next = (struct block *)(uintptr_t)word;
}

static inline uint64_t short_hash(const struct block *next)
{
    return (uint64_t)(uintptr_t)next * word_by.link & SHORT_IN_SLAB;
}

static inline uint64_t short_of(const struct block *b, const struct block *next)
{
    return ((uint64_t)(uintptr_t)next >> 3 | short_hash(next)) ^ word_base(b, 0);
}

static inline struct block *short_next(const struct block *b)
{
    return (struct block *)(uintptr_t)(((short_get(b) ^ word_base(b, 0)) & ~SHORT_IN_SLAB) << 3);
}

/* What the word of b has and a block's before next, to which it leads, has not: 0 or SHORT_IN_SLAB
 * where it is whole. */
static inline uint64_t short_difference(const struct block *b, const struct block *next)
{
    return (short_get(b) ^ word_base(b, 0) ^ short_hash(next)) & SHORT_IN_SLAB;
}

/* Is next NULL or a place where a block of C0 begins? */
bool short_leads_home(const struct block *next);

/* The usual case: in the slab of b, and not before its first block. */
static inline bool short_stays(const struct block *b, const struct block *next)
{
    return ((uintptr_t)b ^ (uintptr_t)next) >> SLAB_LG == 0 &&
           (uintptr_t)next % SLAB_SIZE >= SS_HEADER;
}

/* Is the word of b one that was made for it, in its slab (place: SHORT_IN_SLAB) or out of it (0)?
 */
static inline bool short_intact(const struct block *b, uint64_t place)
{
    struct block *next = short_next(b);

    return short_difference(b, next) == place && short_leads_home(next);
}

static inline bool short_looks_free(const struct block *b)
{
    struct block *next = short_next(b);
    uint64_t difference = short_difference(b, next);

    return unlikely(difference == 0 || difference == SHORT_IN_SLAB) && short_leads_home(next);
}

/* ---- any class ---- */

/* What is different in the word of a block that waits in its slab. */
#define WORD_IN_SLAB (~(uint64_t)0 << 40)

static inline uint64_t word_place(unsigned cls)
{
    return cls ? WORD_IN_SLAB : SHORT_IN_SLAB;
}

/* Makes b, a block that nobody uses, a free block in front of next, on a thread's list or on its
 * way to or from one. */
static inline void block_link(struct block *b, struct block *next, unsigned cls)
{
    if (cls)
        word_link(b, next, word_key[cls]);
    else
        short_set(b, short_of(b, next));
}

/* The same in its slab: the freelist or the remote queue. */
static inline void block_link_in_slab(struct block *b, struct block *next, unsigned cls)
{
    if (cls) {
        b->next = next;
        b->word = word_of(b, next, cls) ^ WORD_IN_SLAB;
    } else {
        short_set(b, short_of(b, next) ^ SHORT_IN_SLAB);
    }
}

/* The link of b, free as far as the caller knows, right or not. */
static inline struct block *block_next(const struct block *b, unsigned cls)
{
    return cls ? b->next : short_next(b);
}

/* Is the free block b as block_link left it? */
static inline bool block_intact(const struct block *b, unsigned cls)
{
    return cls ? word_intact(b, word_key[cls]) : short_intact(b, 0);
}

/* Does b, which is not free as far as the caller knows, bear the word of a free block? */
static inline bool block_looks_free(const struct block *b, unsigned cls)
{
    return cls ? word_looks_free(b, word_key[cls]) : short_looks_free(b);
}

/* The link of b if it can be followed: the word's own copy of it still agrees. */
static inline bool block_link_trusted(const struct block *b, unsigned cls)
{
    return cls ? (b->word ^ word_of(b, b->next, cls)) >> 40 == 0 : short_intact(b, 0);
}

/* Reports b, a free block that does not bear the word it should. */
void word_report(const struct block *b, unsigned cls, uint64_t expect, enum hak_word_where where);

/* The 8 bytes of b that its word is in. */
static inline uint64_t block_word(const struct block *b, unsigned cls)
{
    return cls ? b->word : short_get(b);
}

static inline uint64_t block_expected(const struct block *b, unsigned cls)
{
    return cls ? word_of(b, b->next, cls) : short_of(b, short_next(b));
}

static inline struct block *short_unlink(struct block *b, uint64_t place, enum hak_word_where where,
                                         bool *lost)
{
    struct block *next = short_next(b);

    if (unlikely(!short_intact(b, place))) {
        word_report(b, 0, short_of(b, next) ^ place, where);
        *lost = true;
        return NULL;
    }
    short_set(b, 0);
    return next;
}

static inline struct block *word_unlink(struct block *b, unsigned cls, uint64_t place,
                                        enum hak_word_where where, bool *lost)
{
    struct block *next = b->next;
    uint64_t expect;

    if (unlikely(!cls))
        return short_unlink(b, place & SHORT_IN_SLAB, where, lost);
    expect = word_of(b, next, cls) ^ place;
    if (unlikely(b->word != expect)) {
        bool trusted = (b->word ^ expect) >> 40 == 0;

        word_report(b, cls, expect, where);
        if (!trusted) {
            *lost = true;
            return NULL;
        }
    }
    /* The next owner of these bytes must not look free if he never writes them. */
    b->word = 0;
    return next;
}

/* Takes b off the thread's list it heads and returns what follows. A damaged word is reported. If
 * its link cannot be trusted, *lost tells the caller that b and the blocks behind it are given up:
 * b may be in use, so nobody may touch it; all of them stay counted as used. */
static inline struct block *block_unlink(struct block *b, unsigned cls, enum hak_word_where where,
                                         bool *lost)
{
    return word_unlink(b, cls, 0, where, lost);
}

/* The same for a block in its slab. */
static inline struct block *block_unlink_in_slab(struct block *b, unsigned cls,
                                                 enum hak_word_where where, bool *lost)
{
    return word_unlink(b, cls, WORD_IN_SLAB, where, lost);
}

#endif
