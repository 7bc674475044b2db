/*
 * The free block: its link and the word behind it. Every free block of stride >= 16 carries
 *
 *     offset 0   next free block of the list it is on
 *     offset 8   the word:  bits 0..7   header, 0xa0 | class
 *                           bits 8..63  address ^ secret
 *                           bits 40..63 xor a hash of the link
 *
 * wherever it waits: TLS SLL, slab freelist or remote queue. Intact: fine. Damaged while free:
 * somebody wrote to freed memory (header reset). Bits 0..39 intact at free(): double free.
 * The hash means that a damaged link is seen before it is followed. It is inverted while the
 * block waits in its slab, so that a block which a double free brought to two places (unnoticed,
 * because its word was overwritten in between) is whole in one of them only. And a word is good
 * for one hand-out: it is cleared then, and a block whose link is not as it should be is given up.
 * So no block is ever handed out to two users at once.
 * The 8-byte blocks of C0 have a link only.
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

/* Per class: the process's secret above the header byte. Set before the first block is handed
 * out, constant afterwards. */
extern HIDDEN uint64_t word_key[CLASSES];

void word_init(uint64_t secret);

/* The word of a free block at b, but for its link; key is its class's. */
static inline uint64_t word_keyed(const struct block *b, uint64_t key)
{
    return (uint64_t)(uintptr_t)b << 8 ^ key;
}

static inline uint64_t word_base(const struct block *b, unsigned cls)
{
    return word_keyed(b, word_key[cls]);
}

/* 24 bits in their place above bit 39, each of which depends on many bits of the link: Knuth's
 * multiplicative hash (The Art of Computer Programming, 6.4), by 2^64 over the golden ratio. */
static inline uint64_t word_hash(const struct block *next)
{
    return (uint64_t)(uintptr_t)next * 0x9e3779b97f4a7c15u >> 40 << 40;
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

/* What is different in the word of a block that waits in its slab. */
#define WORD_IN_SLAB (~(uint64_t)0 << 40)

/* Makes b, a block that nobody uses, a free block in front of next, on a thread's list or on its
 * way to or from one. */
static inline void block_link(struct block *b, struct block *next, unsigned cls)
{
    if (cls)
        word_link(b, next, word_key[cls]);
    else
        b->next = next;
}

/* The same in its slab: the freelist or the remote queue. */
static inline void block_link_in_slab(struct block *b, struct block *next, unsigned cls)
{
    b->next = next;
    if (cls)
        b->word = word_of(b, next, cls) ^ WORD_IN_SLAB;
}

/* Is the free block b as block_link left it? */
static inline bool block_intact(const struct block *b, unsigned cls)
{
    return !cls || word_intact(b, word_key[cls]);
}

/* Does b, which is not free as far as the caller knows, bear the word of a free block? */
static inline bool block_looks_free(const struct block *b, unsigned cls)
{
    return cls && word_looks_free(b, word_key[cls]);
}

/* The link of b if it can be followed: the word's own copy of it still agrees. */
static inline bool block_link_trusted(const struct block *b, unsigned cls)
{
    return !cls || (b->word ^ word_of(b, b->next, cls)) >> 40 == 0;
}

/* Reports b, a free block that does not bear the word it should. */
void word_report(const struct block *b, unsigned cls, uint64_t expect, enum hak_word_where where);

static inline struct block *word_unlink(struct block *b, unsigned cls, uint64_t place,
                                        enum hak_word_where where, bool *lost)
{
    struct block *next = b->next;

    if (cls) {
        uint64_t expect = word_of(b, next, cls) ^ place;

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
    }
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
