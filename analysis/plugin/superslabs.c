#include "superslabs.h"

#include <inttypes.h>

#include "footprint.h"
#include "learned.h"
#include "life.h"
#include "memory.h"
#include "rules.h"
#include "verdict.h"

/* ---- coming and going ---- */

static struct superslab *superslab_new(struct process *p, uint64_t address)
{
    struct superslab *ss = memory_new(sizeof(*ss));

    ss->address = address;
    ss->number = ++p->superslab_count;
    ss->mapped = UNKNOWN;
    map_put(&p->superslabs, address, ss);
    return ss;
}

static void superslab_free(struct superslab *ss)
{
    for (unsigned i = 0; i < SS_SLABS_MAX; i++)
        free(ss->slab[i]);
    free(ss);
}

/* What it counts for in the sum of what is mapped. */
static uint64_t bytes_of(const struct superslab *ss)
{
    return ss->counted ? (uint64_t)1 << ss->lg : 0;
}

static void put(struct machine *m, const struct process *p, const struct superslab *ss,
                int64_t unmapped)
{
    bool known = ss->mapped != UNKNOWN;

    if (m->counting)
        PUT(m->store, superslab, (NULL), p->number, (int64_t)ss->address, ss->number, ss->mapped,
            unmapped, ss->lg ? ss->lg : NO_VALUE, ss->slabs ? ss->slabs : NO_VALUE,
            ss->lg ? ss->kind : NO_VALUE, known ? ss->cls : NO_VALUE,
            known ? (int64_t)ss->ns : NO_VALUE, (int64_t)ss->purges, (int64_t)ss->purged_bytes);
}

/* The lives of its slabs are over, at `unmapped` if that is known. */
static void close_slabs(struct machine *m, struct superslab *ss, int64_t unmapped,
                        enum life_end ended)
{
    for (unsigned i = 0; i < SS_SLABS_MAX; i++) {
        struct slab *s = ss->slab[i];

        if (!s)
            continue;
        s->life.unmapped = unmapped;
        life_close(m, s, ended);
    }
}

/* It is no more, though its process goes on. unmapped: when it went, UNKNOWN if unseen. */
static void drop(struct machine *m, struct superslab *ss, int64_t unmapped)
{
    struct process *p = m->process;

    for (unsigned i = 0; i < SS_SLABS_MAX; i++)
        if (ss->slab[i])
            footprint_needed(m, ss->slab[i]);
    close_slabs(m, ss, unmapped, LIFE_UNSEEN);
    for (unsigned i = 0; i < SS_SLABS_MAX; i++)
        if (ss->slab[i])
            life_gone(m, ss->slab[i]);
    put(m, p, ss, unmapped);
    map_take(&p->superslabs, ss->address);
    superslab_free(ss);
}

/* ---- those that were ---- */

static struct unmapped *unmapped_place(const struct process *p, uint64_t address)
{
    return &p->unmapped[map_hash(address) % UNMAPPED_KEPT];
}

static void remember_unmapped(struct machine *m, uint64_t address)
{
    struct process *p = m->process;

    if (!p->unmapped)
        p->unmapped = memory_new(UNMAPPED_KEPT * sizeof(*p->unmapped));
    *unmapped_place(p, address) = (struct unmapped){address, m->now};
}

/* Nothing is mapped at the address, as far as the trace tells. May something be, nevertheless? */
static void complain_not_mapped(struct machine *m, uint64_t address)
{
    struct process *p = m->process;
    const struct unmapped *u = p->unmapped ? unmapped_place(p, address) : NULL;

    if (u && u->address == address)
        complain(m, ABOUT_SINCE(u->time), "not_mapped",
                 "superslab_map of 0x%" PRIx64 " first: it was unmapped", address);
    else if (p->complete)
        complain(m, ABOUT_PROCESS, "not_mapped", "superslab_map of 0x%" PRIx64 " first", address);
    else if (p->based != UNKNOWN)
        complain(m, ABOUT_SINCE(p->based), "not_mapped",
                 "superslab_map of 0x%" PRIx64 " first: no dump told it", address);
}

/* ---- events ---- */

static bool sound_geometry(struct machine *m, uint64_t address, uint32_t lg, uint32_t slabs)
{
    if ((address & (SS_ALIGN - 1)) == 0 && lg >= SS_LG_MIN && lg <= SS_LG_MAX &&
        slabs == SS_SLABS_MAX >> (SS_LG_MAX - lg))
        return true;
    complain(m, ABOUT_PROCESS, "geometry",
             "an address aligned to 512 KiB and 8, 16 or 32 slabs of 64 KiB");
    return false;
}

/* Whoever else is thought to be in [address, address + size) must have gone. */
static void make_room(struct machine *m, uint64_t address, uint64_t size)
{
    uint64_t longest = (uint64_t)1 << SS_LG_MAX;
    uint64_t from = address >= longest ? address - longest + SS_ALIGN : 0;

    for (uint64_t at = from; at < address + size; at += SS_ALIGN) {
        struct superslab *ss = map_get(&m->process->superslabs, at);
        uint64_t its_size = ss && ss->lg ? (uint64_t)1 << ss->lg : SS_ALIGN;

        if (!ss || at + its_size <= address)
            continue;
        complain(m, ABOUT_SINCE(ss->mapped), "mapped_twice",
                 "superslab_unmap of 0x%" PRIx64 " first", at);
        footprint_correct(m, footprint_superslabs(m) - bytes_of(ss));
        drop(m, ss, UNKNOWN);
    }
}

void superslabs_map(struct machine *m, const struct hak_ev_superslab_map *e)
{
    struct superslab *ss;

    m->transitions++;
    if (!sound_geometry(m, e->ss, e->lg, e->slabs))
        return;
    make_room(m, e->ss, (uint64_t)1 << e->lg);
    if (e->kind == HAK_POOL)
        learned_check_map(m, e);
    ss = superslab_new(m->process, e->ss);
    ss->lg = e->lg;
    ss->slabs = e->slabs;
    ss->kind = (enum hak_ss_kind)e->kind;
    ss->cls = e->cls;
    ss->mapped = m->now;
    ss->counted = true;
    ss->ns = e->ns;
    footprint_map(m, HAK_TINY, bytes_of(ss), footprint_superslabs(m) + bytes_of(ss), e->ns);
}

/* The SuperSlab of an event that is not about one slab; met now if it was mapped unseen. */
static struct superslab *known(struct machine *m, uint64_t address)
{
    struct superslab *ss = map_get(&m->process->superslabs, address);

    if (ss)
        return ss;
    complain_not_mapped(m, address);
    return superslab_new(m->process, address);
}

/* Somebody has it, who need not be in the pool. */
static bool may_be_legacy(const struct superslab *ss, const struct slab *s)
{
    return s->state == SLAB_HELD && (!ss->lg || ss->kind == HAK_LEGACY);
}

/* One of the slabs of which superslab_purge speaks. */
static void purge_slab(struct machine *m, struct superslab *ss, unsigned number, uint32_t bytes)
{
    struct slab *s = superslabs_slab(m, ss->address, number);

    if (!s || s->state == SLAB_LEGACY)
        return;
    if (s->state != SLAB_LISTED && s->state != SLAB_UNLISTED && s->state != SLAB_UNSEEN &&
        !may_be_legacy(ss, s))
        complain(m, ABOUT_SLAB(s), "purged_in_use", "slab %u EMPTY and released, but it is %s",
                 number, rules_state_text(s));
    life_purged(m, s);
    footprint_needed(m, s);
    footprint_returned(m, s, bytes);
    /* It is EMPTY; of which class, and on which list, is no surer than before. */
    s->seen = m->now;
    s->seen_event = m->event;
}

void superslabs_purge(struct machine *m, const struct hak_ev_superslab_purge *e)
{
    unsigned count = (unsigned)__builtin_popcount(e->mask);
    struct superslab *ss = known(m, e->ss);

    m->transitions++;
    if (count == 0 || e->slabs != count || (ss->slabs && e->mask >> (ss->slabs - 1) > 1) ||
        e->bytes > (uint64_t)count << 16) {
        complain(m, ABOUT_PROCESS, "geometry",
                 "as many slabs as mask has bits, below %u, of 64 KiB",
                 ss->slabs ? ss->slabs : SS_SLABS_MAX);
        return;
    }
    for (uint32_t left = e->mask; left; left &= left - 1)
        purge_slab(m, ss, (unsigned)__builtin_ctz(left), (uint32_t)(e->bytes / count));
    ss->purges++;
    ss->purged_bytes += e->bytes;
    footprint_purge(m, HAK_TINY, e->bytes, e->ns);
    if (m->counting)
        PUT(m->store, purge, (NULL), m->process->number, (int64_t)e->ss, ss->number, m->now,
            e->slabs, e->mask, (int64_t)e->bytes, (int64_t)e->ns);
}

/* Nothing of it may be in use. */
static void check_unmap(struct machine *m, const struct superslab *ss,
                        const struct hak_ev_superslab_unmap *e)
{
    if (ss->lg && (ss->lg != e->lg || ss->slabs != e->slabs || ss->kind != e->kind))
        complain(m, ABOUT_SINCE(ss->mapped), "geometry", "lg=%u slabs=%u kind=%s as it was mapped",
                 ss->lg, ss->slabs, LABEL(ss_kind, ss->kind));
    for (unsigned i = 0; i < SS_SLABS_MAX; i++) {
        struct slab *s = ss->slab[i];

        if (s && (slab_is_live(s) || s->state == SLAB_EMPTY) &&
            !(s->state == SLAB_HELD && e->kind == HAK_LEGACY))
            complain(m, ABOUT_SLAB(s), "unmapped_in_use",
                     "every slab UNUSED, or EMPTY and released, but slab %u is %s", i,
                     rules_state_text(s));
    }
}

void superslabs_unmap(struct machine *m, const struct hak_ev_superslab_unmap *e)
{
    struct superslab *ss;

    m->transitions++;
    if (!sound_geometry(m, e->ss, e->lg, e->slabs))
        return;
    ss = known(m, e->ss);
    check_unmap(m, ss, e);
    if (!ss->lg) {
        ss->lg = e->lg;
        ss->slabs = e->slabs;
        ss->kind = (enum hak_ss_kind)e->kind;
    }
    remember_unmapped(m, e->ss);
    footprint_unmap(m, HAK_TINY, (uint64_t)1 << e->lg, footprint_superslabs(m) - bytes_of(ss),
                    e->ns);
    drop(m, ss, m->now);
}

/* ---- state dumps ---- */

/* Does the trace tell something of it that is later? */
static bool touched_since(const struct superslab *ss, int64_t since)
{
    if (ss->mapped >= since)
        return true;
    for (unsigned i = 0; i < SS_SLABS_MAX; i++)
        if (ss->slab[i] && ss->slab[i]->seen >= since)
            return true;
    return false;
}

static void forget_slabs(struct machine *m, struct superslab *ss)
{
    for (unsigned i = 0; i < SS_SLABS_MAX; i++)
        if (ss->slab[i])
            life_forget(m, ss->slab[i]);
}

/* It is not what was known by that address. */
static struct superslab *replaced(struct machine *m, struct superslab *ss,
                                  const struct hak_ev_statedump_superslab *e)
{
    complain(m, ABOUT_SINCE(ss->mapped), "dump_disagrees",
             "lg=%u slabs=%u kind=%s as it was mapped", ss->lg, ss->slabs,
             LABEL(ss_kind, ss->kind));
    footprint_correct(m, footprint_superslabs(m) - bytes_of(ss));
    drop(m, ss, UNKNOWN);
    return superslab_new(m->process, e->ss);
}

struct superslab *superslabs_told(struct machine *m, const struct hak_ev_statedump_superslab *e,
                                  int64_t since, bool *met)
{
    struct superslab *ss = map_get(&m->process->superslabs, e->ss);
    const struct unmapped *gone = m->process->unmapped ? unmapped_place(m->process, e->ss) : NULL;

    *met = false;
    if (!sound_geometry(m, e->ss, e->lg, e->slabs))
        return NULL;
    if (ss ? ss->mapped >= since : gone && gone->address == e->ss && gone->time >= since)
        return NULL;
    if (!ss) {
        if (m->process->complete || m->process->based != UNKNOWN)
            complain(m, ABOUT_SINCE(m->process->based), "dump_disagrees",
                     "superslab_map of 0x%" PRIx64 " first", e->ss);
        ss = superslab_new(m->process, e->ss);
    } else if (ss->lg && (ss->lg != e->lg || ss->slabs != e->slabs || ss->kind != e->kind)) {
        ss = replaced(m, ss, e);
    }
    *met = ss->lg != 0;
    ss->lg = e->lg;
    ss->slabs = e->slabs;
    ss->kind = (enum hak_ss_kind)e->kind;
    ss->told = m->process->settled;
    ss->counted = true;
    if (ss->kind == HAK_LEGACY)
        forget_slabs(m, ss);
    return ss;
}

struct missing {
    const struct process *process;
    int64_t since;
    uint64_t *address;
    unsigned count;
};

static void note_missing(void *value, void *arg)
{
    const struct superslab *ss = value;
    struct missing *of = arg;

    if (ss->told == of->process->settled || touched_since(ss, of->since))
        return;
    of->address = memory_grow(of->address, (of->count + 1) * sizeof(*of->address));
    of->address[of->count++] = ss->address;
}

void superslabs_only_told(struct machine *m, int64_t since)
{
    struct missing of = {m->process, since, NULL, 0};

    map_each(&m->process->superslabs, note_missing, &of);
    for (unsigned i = 0; i < of.count; i++) {
        struct superslab *ss = map_get(&m->process->superslabs, of.address[i]);

        m->complained = false;
        complain(m, ABOUT_SINCE(ss->mapped), "dump_disagrees",
                 "statedump_superslab of 0x%" PRIx64 ": it has not been unmapped", ss->address);
        footprint_correct(m, footprint_superslabs(m) - bytes_of(ss));
        drop(m, ss, UNKNOWN);
    }
    free(of.address);
}

static void add_bytes(void *value, void *arg)
{
    *(uint64_t *)arg += bytes_of(value);
}

void superslabs_count(struct machine *m)
{
    uint64_t total = 0;

    map_each(&m->process->superslabs, add_bytes, &total);
    if (total != footprint_superslabs(m))
        footprint_correct(m, total);
}

/* ---- slabs ---- */

struct slab *superslabs_new_slab(struct machine *m, struct superslab *ss, uint64_t address,
                                 uint32_t number)
{
    struct slab *s;

    if (address & (SS_ALIGN - 1) || number >= SS_SLABS_MAX) {
        complain(m, ABOUT_PROCESS, "geometry", "an address aligned to 512 KiB and a slab below 32");
        return NULL;
    }
    if (!ss)
        ss = known(m, address);
    else if (ss->slabs && number >= ss->slabs)
        complain(m, ABOUT_PROCESS, "geometry", "a slab below %u", ss->slabs);
    s = memory_new(sizeof(*s));
    s->seen = s->sure = UNKNOWN;
    s->state = !ss->slabs ? SLAB_UNSEEN : ss->kind == HAK_LEGACY ? SLAB_LEGACY : SLAB_UNUSED;
    s->life.proc = m->process->number;
    s->life.ss = address;
    s->life.mapping = ss->number;
    s->life.slab = number;
    s->life.purged = s->life.unmapped = UNKNOWN;
    ss->slab[number] = s;
    return s;
}

/* ---- the end ---- */

struct closing {
    struct machine *machine;
    struct process *process;
    enum life_end ended;
};

static void close_superslab(void *value, void *arg)
{
    struct closing *c = arg;

    close_slabs(c->machine, value, UNKNOWN, c->ended);
    put(c->machine, c->process, value, UNKNOWN);
    superslab_free(value);
}

void superslabs_close(struct machine *m, struct process *p, enum life_end ended)
{
    struct closing c = {m, p, ended};

    map_each(&p->superslabs, close_superslab, &c);
    map_free(&p->superslabs);
    free(p->unmapped);
}
