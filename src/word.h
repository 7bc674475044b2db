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
 * The hash means that a damaged link is seen before it is followed.
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

/* The word of a free block of class cls at b, but for its link. */
static inline uint64_t word_base(const struct block *b, unsigned cls)
{
    return (uint64_t)(uintptr_t)b << 8 ^ word_key[cls];
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

/* Makes b, a block that nobody uses, a free block in front of next. */
static inline void block_link(struct block *b, struct block *next, unsigned cls)
{
    b->next = next;
    if (cls)
        b->word = word_of(b, next, cls);
}

/* Is the free block b as block_link left it? */
static inline bool block_intact(const struct block *b, unsigned cls)
{
    return !cls || b->word == word_of(b, b->next, cls);
}

/* Does b, which is not free as far as the caller knows, bear the word of a free block? */
static inline bool block_looks_free(const struct block *b, unsigned cls)
{
    return cls && ((b->word ^ word_base(b, cls)) << 24) == 0;
}

/* The link of b if it can be followed: the word's own copy of it still agrees. */
static inline bool block_link_trusted(const struct block *b, unsigned cls)
{
    return !cls || (b->word ^ word_of(b, b->next, cls)) >> 40 == 0;
}

/* Takes b off the list it heads and returns what follows. A damaged word is reported as a
 * header reset; a link that cannot be trusted ends the list, and *lost tells the caller that
 * the blocks behind it are gone (they stay counted as used: leaked, never handed out twice). */
static inline struct block *block_unlink(struct block *b, unsigned cls, enum hak_word_where where,
                                         bool *lost)
{
    struct block *next = b->next;

    if (cls) {
        if (unlikely(b->word != word_of(b, next, cls))) {
            bool trusted = block_link_trusted(b, cls);

            trace_hdr_reset(cls, b, b->word, word_base(b, cls), where);
            if (!trusted) {
                *lost = true;
                next = NULL;
            }
        }
        /* The next owner of these bytes must not look free if he never writes them. */
        b->word = 0;
    }
    return next;
}

#endif
