/*
 * The data model of the reader: processes, their SuperSlabs, slabs, owners and totals. A process
 * owns everything below it; the machine owns the processes. Nothing here is per event: memory
 * follows what is live.
 */
#ifndef HAK_MODEL_H
#define HAK_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "catalogue.h"
#include "map.h"
#include "tables.h"

#define CLASSES 16
/* Requests without a size class are counted in a slot of their own. */
#define CLASS_NONE 255u
#define CLASS_SLOTS (CLASSES + 1)
#define OWNER_LEGACY 0xffffffffu
#define SS_ALIGN ((uint64_t)1 << 19)
#define SS_SLABS_MAX 32u
#define SS_LG_MIN 19u
#define SS_LG_MAX 21u
#define SS_LG_KINDS (SS_LG_MAX - SS_LG_MIN + 1)
#define UNKNOWN INT64_MIN

/* How long a thread may take, in nanoseconds, from what it did to the event that tells it: what
 * concerns several threads without a lock is judged only where it has held for so long. */
#define SETTLED_LG 27
#define SETTLED_NS ((int64_t)1 << SETTLED_LG)

/* A life of a slab, as one row says it. Plain data: runs.c writes it to a file as it is. */
struct life {
    uint64_t ss;
    uint32_t proc, mapping, slab, n, gen; /* mapping: the SuperSlab's number */
    int64_t begin, end;                   /* UNKNOWN: before the recording; not seen */
    int64_t purged, unmapped;             /* after its end, before the next; UNKNOWN: not */
    int64_t dumped; /* the state dump that told it before an event did; UNKNOWN: none */
    uint32_t owner, tid;
    uint32_t capacity, spells, used_max, used_last;
    uint64_t refills, refilled, pushes, pushed, drains, drained;
    uint8_t cls, from_cls, stage, ended; /* stage: HAK_COUNT_stage if unknown */
    uint8_t certain;                     /* no loss and no violation met it */
};

enum slab_state {
    SLAB_UNSEEN,    /* the recording began after its process did */
    SLAB_UNUSED,    /* never bound */
    SLAB_HELD,      /* ACTIVE, published or legacy: seen only from outside */
    SLAB_ACTIVE,    /* life.owner's */
    SLAB_PUBLISHED, /* ACTIVE, owned by nobody */
    SLAB_VISITED,   /* ACTIVE, adopted outside an acquire, to be given back */
    SLAB_EMPTY,     /* between slab_empty and slab_release */
    SLAB_LISTED,    /* EMPTY, on its class's stage-1 list */
    SLAB_UNLISTED,  /* EMPTY, for stage 0.5 to find */
    SLAB_LEGACY,    /* outside the pool: no slab_* events */
};

struct slab {
    int64_t seen; /* its last event; UNKNOWN: none */
    enum hak_event seen_event;
    int64_t sure; /* the last event that told its state and owner */
    enum slab_state state;
    uint32_t owner, tid; /* now; life has the first */
    int64_t owned_since;
    bool untold;       /* life is not a row yet */
    uint32_t returned; /* bytes of it that were purged and not needed since */
    struct life life;  /* the current one, or the last */
};

/* One mapping: what is mapped later at the same address is another SuperSlab. */
struct superslab {
    uint64_t address;
    uint32_t number;    /* counts those of its process */
    uint32_t lg, slabs; /* 0: its mapping is not in the trace */
    enum hak_ss_kind kind;
    uint32_t cls;
    int64_t mapped; /* UNKNOWN: before the recording */
    bool counted;   /* in the sum of what is mapped */
    uint32_t told;  /* the latest dump that told it, as process.settled counts them */
    uint64_t ns, purges, purged_bytes;
    struct slab *slab[SS_SLABS_MAX]; /* NULL: not met yet */
};

/* A SuperSlab that is no more. */
struct unmapped {
    uint64_t address;
    int64_t time;
};
#define UNMAPPED_KEPT 256u

/* Where an owner is in its acquire. */
enum acquire_state {
    ACQUIRE_UNSEEN, /* nothing seen of this owner's acquires yet */
    ACQUIRE_NONE,
    ACQUIRE_RUNNING,
};

struct owner {
    uint32_t number, tid;
    bool alive;    /* between thread_start and thread_exit */
    bool started;  /* thread_start is in the trace */
    int64_t begin; /* of its thread */
    int64_t seen;  /* its last event */
    enum hak_event seen_event;
    int64_t acquire_seen; /* the last event that told how far its acquire is */
    enum acquire_state acquire;
    uint8_t cls;        /* of the acquire */
    uint8_t next;       /* position in acquire_order of the stage to come */
    uint8_t got;        /* slab_active since the last stage reported */
    uint8_t stage;      /* of that slab_active */
    uint32_t adopted;   /* slab_adopt since the last stage reported */
    uint32_t publishes; /* slab_publish of this thread, but for those that end a visit */
    uint32_t visiting;  /* slabs adopted outside an acquire and not given back */
    uint64_t acquires, refused, refills, refilled, drains, given_own, given_remote, collects,
        collected;
};

struct tick_counts {
    uint64_t stage[HAK_COUNT_stage], shared_fail, legacy, refills, refilled, given_own,
        given_remote, pushed;
};

struct fail_total {
    uint64_t count, told, forgotten, unlisted; /* told: singly */
    int64_t first, last;
    struct hak_ev_shared_fail worst;
};

struct class_totals {
    uint64_t stage[HAK_COUNT_stage][HAK_COUNT_outcome];
    uint64_t scanned[HAK_COUNT_stage][HAK_COUNT_outcome];
    uint64_t ns[HAK_COUNT_stage][HAK_COUNT_outcome];
    struct fail_total fail[HAK_COUNT_fail_reason];
    uint64_t legacy[HAK_COUNT_legacy_source][HAK_COUNT_legacy_why];
    uint64_t legacy_told[HAK_COUNT_legacy_source][HAK_COUNT_legacy_why];
    uint64_t legacy_bytes[HAK_COUNT_legacy_source][HAK_COUNT_legacy_why];
    uint32_t active, peak, cap; /* active: now, whatever the window */
    int64_t peak_at;
    uint64_t lives, carried, emptied, listed, unlisted;
    uint64_t refills, refilled, carved, drains, given_own, given_remote, pushes, pushed, collects,
        collected;
    uint64_t locks, contended, waited_ns, waited_max_ns;
    /* The least active in this period of SETTLED_NS, and in the one before. */
    int64_t period;
    uint32_t low, low_before;
    int64_t frozen;                   /* since then the cap is somebody's word; UNKNOWN: never */
    uint32_t ss_lg;                   /* of the SuperSlabs it maps; 0: not known */
    int64_t ss_lg_until[SS_LG_KINDS]; /* when each size was given up */
    struct tick_counts tick;
    bool ticked; /* in the list of classes with something in this tick */
};

/* Memory of a layer; SuperSlabs are that of TINY. */
struct layer_memory {
    uint64_t mapped, peak; /* mapped: now, whatever the window */
    int64_t peak_at;
    uint64_t maps, map_bytes, unmaps, unmap_bytes, purges, purge_bytes, remaps, moves, ns;
};

struct footprint {
    struct layer_memory layer[HAK_COUNT_ace_layer];
    uint64_t returned; /* bytes of mapped SuperSlabs that are purged */
    int64_t tick;      /* the last in which something changed; UNKNOWN: none */
};

struct process {
    uint32_t number;
    uint64_t pid;
    int64_t began, ended;
    bool started, complete, named; /* named: by its first thread */
    uint32_t parent, ppid;
    uint64_t forked; /* clock ticks from boot to its fork; 0: not known */
    int64_t born;    /* as it says itself; UNKNOWN: it has not */
    uint64_t events;
    char name[32], command[512], version[32], flavour[32];
    uint32_t superslab_count; /* that there have been */
    uint32_t ss_lg;           /* HAKMEM_SS_LG; 0: learned, or not known */
    struct map superslabs, owners, regions, flows;
    struct unmapped *unmapped; /* the latest of each hash; made when first needed */
    struct footprint footprint;
    struct class_totals *class[CLASS_SLOTS]; /* made when first needed */
    struct dumps *dumps;                     /* made when first needed */
    int64_t dump_due; /* when its latest dump can be held against the events; INT64_MAX: none */
    int64_t based;    /* since then a dump has told all there is; UNKNOWN: none has */
    uint32_t settled; /* dumps that have been held against the events */
    struct op_totals *ops;     /* made when first needed */
    const int64_t *loss_until; /* the end of its trace's latest loss */
};

#endif
