#include "word.h"

#include "superslab.h"

uint64_t word_key[CLASSES];

void word_init(uint64_t secret)
{
    for (unsigned c = 0; c < CLASSES; c++)
        word_key[c] = secret << 8 | 0xa0 | c;
}

NOINLINE void word_report(const struct block *b, unsigned cls, uint64_t expect,
                          enum hak_word_where where)
{
    struct superslab *ss = ss_of(b);

    /* Whole, but for where it belongs: it was freed a second time while it waited there. */
    if (ss && (b->word ^ expect) == WORD_IN_SLAB)
        trace_double_free_late(slab_ref(ss_slab(ss, b)), b);
    else
        trace_hdr_reset(cls, b, b->word, expect, where);
}
