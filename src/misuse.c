#include "misuse.h"

#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "log.h"
#include "superslab.h"

/* How every line ends. */
static const char *goes_on(const char *how)
{
    return config.abort_on_error ? "the program is aborted (HAKMEM_ABORT_ON_ERROR=1)" : how;
}

/* "256-byte block" and the like, in out. */
static const char *block_in_words(unsigned cls, char out[32])
{
    switch (cls) {
    case CLASS_MID: return "block of the mid pool";
    case CLASS_LARGE: return "block of the large pool";
    case CLASS_HUGE: return "huge block";
    default: break;
    }
    if (cls >= CLASSES)
        return "block";
    snprintf(out, 32, "%u-byte block", geometry[cls].stride);
    return out;
}

/* Who may have written to b: its former user, or whoever uses the block before it, past its end.
 * Such a write changes b's first bytes. */
static void suspect(unsigned cls, const struct block *b, bool trusted, char *out, size_t size)
{
    struct superslab *ss = ss_of(b);
    const char *before = (const char *)b - geometry[cls].stride;

    if (trusted)
        snprintf(out, size, "its first 8 bytes are intact, so no write past the end of another");
    else if (!ss || before < slab_blocks(ss, slab_no(ss_slab(ss, b))))
        snprintf(out, size, "it is the first block of its slab");
    else if (block_looks_free((const struct block *)before, cls))
        snprintf(out, size, "the block before it, %p, is free as well", (const void *)before);
    else
        snprintf(out, size, "the block before it, %p, is in use: a write past its end is as likely",
                 (const void *)before);
}

void misuse_say_hdr_reset(unsigned cls, const struct block *b, uint64_t expect, uint64_t count)
{
    struct superslab *ss = ss_of(b);
    uint64_t word = block_word(b, cls);
    bool trusted = cls && (word ^ expect) >> 40 == 0;
    char who[128];

    suspect(cls, b, trusted, who, sizeof(who));
    log_line(
        "[TLS_SLL_HDR_RESET] cls=%u base=%p got=0x%02x expect=0x%02x count=%lu ss=%p slab=%u "
        "word=0x%016lx expected=0x%016lx link=%p: somebody wrote to this %u-byte block after "
        "it was freed (%s)%s; %s\n",
        cls, (const void *)b, (unsigned)(word & 0xff), (unsigned)(expect & 0xff),
        (unsigned long)count, (void *)ss, ss ? slab_no(ss_slab(ss, b)) : 0, (unsigned long)word,
        (unsigned long)expect, (void *)block_next(b, cls), geometry[cls].stride, who,
        trusted ? "" : ", or it is in use: freed twice, and written to in between",
        goes_on(trusted ? "repaired, the program goes on"
                        : "it and what its list held behind it are given up, the program goes on"));
}

void misuse_say_double_free(struct slab_ref s, const void *base, bool late, uint64_t count)
{
    char words[32];

    log_line("[DOUBLE_FREE] ptr=%p cls=%u ss=0x%lx slab=%u count=%lu: %s%s%s; %s\n", base, s.cls,
             (unsigned long)s.ss, s.slab, (unsigned long)count,
             late ? "more blocks of its slab came back than were in use: this " : "free() of a ",
             block_in_words(s.cls, words),
             late ? ", or one before it, was freed twice and written to in between"
                  : " that is free already: expected a block in use",
             goes_on(late ? "its slab is given up, the program goes on"
                          : "ignored, the program goes on"));
}

/* The block that ptr, in the given slab, lies in, and how far: in out. */
static void interior(uint64_t ss, uint32_t slab, unsigned cls, const void *ptr, char *out,
                     size_t size)
{
    uint64_t first = ss + ((uint64_t)slab << SLAB_LG) + slab_reserved(slab);
    uint64_t stride = geometry[cls].stride;
    uint64_t index = ((uintptr_t)ptr - first) / stride;

    if (index < slab_capacity(cls, slab))
        snprintf(out, size, "free() of an address %lu bytes into the %lu-byte block 0x%lx",
                 (unsigned long)(((uintptr_t)ptr - first) % stride), (unsigned long)stride,
                 (unsigned long)(first + index * stride));
    else
        snprintf(out, size, "free() of an address behind its slab's last block");
}

void misuse_say_invalid_free(uint64_t ss, uint32_t slab, unsigned cls, const void *ptr,
                             enum hak_invalid_why why, uint64_t count)
{
    static const char *const text[] = {
        [HAK_NOT_A_BLOCK_START] = "free() of an address inside a block",
        [HAK_NEVER_CARVED] = "free() of a block that was never handed out",
        [HAK_SLAB_NOT_ACTIVE] = "free() of a block in a slab that has none in use",
        [HAK_IN_HEADER] = "free() of an address inside hakmem's own records",
        [HAK_ON_A_STACK] = "free() of an address on a stack",
        [HAK_IN_A_PROGRAM_S_DATA] = "free() of an address in the data of a program or library",
        [HAK_NOT_MAPPED] = "free() of an address where no memory is",
    };
    const char *end = goes_on("ignored, the program goes on");
    char where[96];

    snprintf(where, sizeof(where), "%s", text[why]);
    if (why == HAK_NOT_A_BLOCK_START && cls < CLASSES)
        interior(ss, slab, cls, ptr, where, sizeof(where));
    if (ss)
        log_line("[INVALID_FREE] ptr=%p cls=%u ss=0x%lx slab=%u count=%lu: %s: expected what "
                 "malloc returned; %s\n",
                 ptr, cls, (unsigned long)ss, slab, (unsigned long)count, where, end);
    else
        log_line("[INVALID_FREE] ptr=%p count=%lu: %s: expected what malloc returned; %s\n", ptr,
                 (unsigned long)count, where, end);
}

void misuse_end(const char *what, const void *ptr)
{
    if (likely(!config.abort_on_error))
        return;
    if (!HAK_TRACE)
        log_line("hakmem: %s, %p: the program is aborted (HAKMEM_ABORT_ON_ERROR=1)\n", what, ptr);
    abort();
}

NOINLINE _Noreturn void misuse_records_overwritten(const void *records)
{
    log_line(
        "hakmem: its records at %p were overwritten, as by a write before the first block of a "
        "SuperSlab or a region: the program is aborted\n",
        records);
    abort();
}
