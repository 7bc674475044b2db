/*
 * What glibc tells about its heap, told about hakmem: mallinfo, mallinfo2, malloc_stats,
 * malloc_info, malloc_trim, mallopt. All numbers are hak_get_stats()'s. Owns nothing.
 *
 * An ACTIVE slab counts as used whole: which of its blocks wait in a list is its owner's to know.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "geometry.h"
#include "hakmem.h"
#include "log.h"
#include "trace.h"
#include "trim.h"

struct totals {
    uint64_t mapped; /* SuperSlabs, the mid and large pools' regions, what cannot be unmapped */
    uint64_t used;   /* of those, by slabs and blocks */
    uint64_t cached; /* of used, in threads' caches: not the user's */
    uint64_t idle;   /* free, and not yet given back to the system */
    uint64_t empty;  /* EMPTY slabs */
};

static struct totals add_up(const struct hak_stats *st)
{
    struct totals t = {
        .mapped = st->mapped_bytes + st->mid.mapped + st->large.mapped + st->kept_bytes,
        .used = st->mid.used + st->large.used,
        .cached = st->mid.cached + st->large.cached,
        .idle = st->mid.idle + st->large.idle + st->huge.idle,
    };

    for (unsigned c = 0; c < CLASSES; c++) {
        t.used += (uint64_t)st->cls[c].active << SLAB_LG;
        t.empty += st->cls[c].listed + st->cls[c].marked;
    }
    t.idle += t.empty << SLAB_LG;
    /* Legacy SuperSlabs' slabs are used, and are counted by no class. */
    if (t.used > t.mapped)
        t.used = t.mapped;
    return t;
}

EXPORT struct mallinfo2 hak_mallinfo2(void)
{
    struct hak_stats st;
    struct totals t;

    hak_get_stats(&st);
    t = add_up(&st);
    return (struct mallinfo2){
        .arena = t.mapped,
        .ordblks = t.empty,
        .hblks = st.huge.blocks,
        .hblkhd = st.huge.used,
        .fsmblks = t.cached,
        .uordblks = t.used - t.cached,
        .fordblks = t.mapped - t.used + t.cached,
        .keepcost = t.idle,
    };
}

/* As glibc's: what an int cannot hold is cut. */
EXPORT struct mallinfo hak_mallinfo(void)
{
    struct mallinfo2 m = hak_mallinfo2();

    return (struct mallinfo){
        .arena = (int)m.arena,
        .ordblks = (int)m.ordblks,
        .hblks = (int)m.hblks,
        .hblkhd = (int)m.hblkhd,
        .fsmblks = (int)m.fsmblks,
        .uordblks = (int)m.uordblks,
        .fordblks = (int)m.fordblks,
        .keepcost = (int)m.keepcost,
    };
}

static void print_layer(const char *name, const struct hak_layer_stats *l)
{
    log_line("%-6s blocks %lu, used %lu (peak %lu, cached %lu), idle %lu, mapped %lu\n", name,
             l->blocks, l->used, l->peak, l->cached, l->idle, l->mapped);
}

EXPORT void hak_malloc_stats(void)
{
    struct hak_stats st;
    struct totals t;

    hak_get_stats(&st);
    t = add_up(&st);
    log_line("hakmem " HAK_VERSION "\n");
    for (unsigned c = 0; c < CLASSES; c++)
        if (st.cls[c].active || st.cls[c].listed || st.cls[c].marked)
            log_line("C%-5u stride %u, slabs: ACTIVE %u (peak %u), EMPTY %u\n", c, st.cls[c].stride,
                     st.cls[c].active, st.cls[c].peak, st.cls[c].listed + st.cls[c].marked);
    log_line("tiny   mapped %lu\n", st.mapped_bytes);
    print_layer("mid", &st.mid);
    print_layer("large", &st.large);
    print_layer("huge", &st.huge);
    if (st.kept_bytes)
        log_line("kept   %lu that the kernel would not unmap\n", st.kept_bytes);
    log_line("all    mapped %lu, used %lu\n", t.mapped + st.huge.mapped, t.used + st.huge.used);
}

static void write_layer(FILE *out, unsigned nr, const char *name, const struct hak_layer_stats *l)
{
    fprintf(out,
            "<heap nr=\"%u\" name=\"%s\">\n"
            "<total type=\"used\" count=\"%lu\" size=\"%lu\"/>\n"
            "<total type=\"cached\" size=\"%lu\"/>\n"
            "<total type=\"idle\" size=\"%lu\"/>\n"
            "<system type=\"current\" size=\"%lu\"/>\n"
            "<refused threshold=\"%lu\" exhaustion=\"%lu\" map_fail=\"%lu\"/>\n"
            "</heap>\n",
            nr, name, l->blocks, l->used, l->cached, l->idle, l->mapped, l->threshold,
            l->exhaustion, l->map_fail);
}

static void write_tiny(FILE *out, const struct hak_stats *st)
{
    uint64_t active = 0, empty = 0;

    fprintf(out, "<heap nr=\"0\" name=\"tiny\">\n<sizes>\n");
    for (unsigned c = 0; c < CLASSES; c++) {
        const struct hak_class_stats *s = &st->cls[c];

        active += s->active;
        empty += s->listed + s->marked;
        if (s->active || s->peak)
            fprintf(out, "<size class=\"%u\" to=\"%u\" active=\"%u\" peak=\"%u\" empty=\"%u\"/>\n",
                    c, s->stride, s->active, s->peak, s->listed + s->marked);
    }
    fprintf(out,
            "</sizes>\n"
            "<total type=\"used\" count=\"%lu\" size=\"%lu\"/>\n"
            "<total type=\"idle\" count=\"%lu\" size=\"%lu\"/>\n"
            "<system type=\"current\" size=\"%lu\"/>\n"
            "</heap>\n",
            active, active << SLAB_LG, empty, empty << SLAB_LG, st->mapped_bytes);
}

EXPORT int hak_malloc_info(int options, FILE *out)
{
    struct hak_stats st;
    struct totals t;

    if (options != 0)
        return EINVAL;
    hak_get_stats(&st);
    t = add_up(&st);
    fprintf(out, "<malloc version=\"1\" allocator=\"hakmem " HAK_VERSION "\">\n");
    write_tiny(out, &st);
    write_layer(out, 1, "mid", &st.mid);
    write_layer(out, 2, "large", &st.large);
    write_layer(out, 3, "huge", &st.huge);
    fprintf(out,
            "<total type=\"used\" size=\"%lu\"/>\n"
            "<total type=\"mmap\" count=\"%lu\" size=\"%lu\"/>\n"
            "<system type=\"current\" size=\"%lu\"/>\n"
            "</malloc>\n",
            t.used, st.huge.blocks, st.huge.used, t.mapped + st.huge.mapped);
    return 0;
}

EXPORT int hak_malloc_trim(size_t pad)
{
    (void)pad;
    if (trace_busy())
        return 0;
    hak_drain();
    return trim_all();
}

/* There is nothing here that these would tune; the answer is glibc's. */
EXPORT int hak_mallopt(int param, int value)
{
    if (param == M_MXFAST)
        return value >= 0 && value <= 80 * (int)sizeof(size_t) / 4;
    if (param == M_MMAP_THRESHOLD)
        return value >= 0 && value <= 32 << 20;
    return 1;
}

#if HAK_INTERPOSE
#define ALIAS(name) EXPORT __attribute__((alias("hak_" #name)))
ALIAS(mallinfo2) struct mallinfo2 mallinfo2(void);
ALIAS(mallinfo) struct mallinfo mallinfo(void);
ALIAS(malloc_stats) void malloc_stats(void);
ALIAS(malloc_info) int malloc_info(int, FILE *);
ALIAS(malloc_trim) int malloc_trim(size_t);
ALIAS(mallopt) int mallopt(int, int);
#endif
