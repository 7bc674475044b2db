#include "word.h"

#include "superslab.h"

uint64_t word_key[CLASSES];
struct word_multipliers word_by;

/* The next of a row of random numbers: SplitMix64 (Steele, Lea, Flood, "Fast splittable
 * pseudorandom number generators", 2014), whose finalizer lets no output tell of another. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* A number that needs both halves of the seed: the C library keeps either of them elsewhere, in
 * what guards stacks and jumps. */
static uint64_t secret(uint64_t state[2])
{
    uint64_t a = draw(&state[0]), b = draw(&state[1]);

    return a ^ (b << 32 | b >> 32);
}

void word_init(const uint64_t seed[2])
{
    uint64_t state[2] = {seed[0], seed[1]};

    word_by.address = (secret(state) | 1) << 8;
    word_by.link = secret(state) | 1;
    for (unsigned c = 0; c < CLASSES; c++)
        word_key[c] = secret(state) << 8 | 0xa0 | c;
}

NOINLINE bool short_leads_home(const struct block *next)
{
    struct pagemap_leaf *leaf = pagemap_leaf_below(next, PAGEMAP_ROOTS);
    uintptr_t at = pagemap_slab(next);
    uint32_t info, origin;

    if (!next)
        return true;
    if (!leaf)
        return false;
    info = atomic_load_explicit(&leaf->info[at], memory_order_relaxed);
    origin = atomic_load_explicit(&leaf->origin[at], memory_order_relaxed);
    return info && !info_cls(info) && (uint16_t)(uintptr_t)next >= (uint16_t)origin;
}

NOINLINE void word_report(const struct block *b, unsigned cls, uint64_t expect,
                          enum hak_word_where where)
{
    struct superslab *ss = ss_of(b);
    uint64_t word = block_word(b, cls);

    /* Whole, but for where it belongs: it was freed a second time while it waited there. */
    if (ss && (word ^ expect) == word_place(cls))
        trace_double_free_late(slab_ref(ss_slab(ss, b)), b);
    else
        trace_hdr_reset(cls, b, word, expect, where);
}
