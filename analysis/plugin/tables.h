/*
 * The tables of the SQLite file. TABLE(name, text columns, number columns, what follows): the
 * texts come first in a row. Times are nanoseconds since the epoch, NULL where unknown; proc is
 * the number of a process (a pid that executes another program is another process); mapping
 * numbers the SuperSlabs of a process, since an address may be mapped again; n counts the lives
 * of one slab as the trace shows them; cls 255 is what has no size class.
 */
#ifndef HAK_TABLES_H
#define HAK_TABLES_H

#define SCHEMA_VERSION 11

#define TABLES(TABLE)                                                                             \
    TABLE(meta, "key, text", "number", "PRIMARY KEY (key)) WITHOUT ROWID")                        \
    TABLE(label, "kind, text", "value", "PRIMARY KEY (kind, value)) WITHOUT ROWID")               \
    TABLE(event_total, "name, tier", "count", "PRIMARY KEY (name)) WITHOUT ROWID")                \
    /* began, ended: first and last event. complete: see process_start; NULL: none seen. */       \
    TABLE(process, "name, command, version, flavour",                                             \
          "proc, pid, began, ended, parent, ppid, started, complete, events",                     \
          "PRIMARY KEY (proc)) WITHOUT ROWID")                                                    \
    TABLE(config, "key, value", "proc, is_default", ")")                                          \
    /* time: NULL if it was mapped before the recording. unmapped: NULL if it was not. */         \
    TABLE(superslab, "",                                                                          \
          "proc, ss, mapping, time, unmapped, lg, slabs, kind, cls, ns, purges, purged_bytes",    \
          ")")                                                                                    \
    TABLE(purge, "", "proc, ss, mapping, time, slabs, mask, bytes, ns", ")")                      \
    /* What each class maps: log2. maps, occupancy: see the event. */                             \
    TABLE(ss_size, "", "proc, cls, time, lg_from, lg_to, why, maps, occupancy", ")")              \
    /* Of one of ACE's layers, or of the SuperSlabs: layer TINY. mapped: at the end. */           \
    TABLE(layer, "",                                                                              \
          "proc, layer, mapped, peak, peak_at, maps, map_bytes, unmaps, unmap_bytes, purges, "    \
          "purge_bytes, remaps, moves, ns",                                                       \
          "PRIMARY KEY (proc, layer)) WITHOUT ROWID")                                             \
    /* Bytes mapped by each layer, and of SuperSlabs purged, after the 10 ms of tick. */          \
    TABLE(memory, "", "proc, tick, tiny, returned, mid, large, huge",                             \
          "PRIMARY KEY (proc, tick)) WITHOUT ROWID")                                              \
    /* ended: enum life_end. stage, begin: NULL if the life began before the recording.           \
     * tid: of the first owner. spells: owners one after the other. purged, unmapped: what        \
     * became of its memory before the next life. dumped: begin of the state dump that told it    \
     * before any event did. */                                                                   \
    TABLE(life, "",                                                                               \
          "proc, ss, mapping, slab, n, gen, cls, begin, end, ended, purged, unmapped, dumped, "   \
          "stage, from_cls, owner, tid, capacity, spells, refills, refilled, pushes, pushed, "    \
          "drains, "                                                                              \
          "drained, used_max, used_last, certain",                                                \
          "PRIMARY KEY (proc, ss, mapping, slab, n)) WITHOUT ROWID")                              \
    /* Of lives that changed hands: one row per owner, owner 0 while published. */                \
    TABLE(spell, "", "proc, ss, mapping, slab, n, spell, owner, tid, begin, end", ")")            \
    TABLE(thread, "",                                                                             \
          "proc, owner, tid, begin, end, published, acquires, refused, refills, refilled, "       \
          "drains, given_own, given_remote, collects, collected",                                 \
          ")")                                                                                    \
    TABLE(class_total, "",                                                                        \
          "proc, cls, active, peak, peak_at, cap, lives, carried, emptied, listed, unlisted, "    \
          "refills, refilled, carved, drains, given_own, given_remote, pushes, pushed, "          \
          "collects, collected, locks, contended, waited_ns, waited_max_ns",                      \
          "PRIMARY KEY (proc, cls)) WITHOUT ROWID")                                               \
    TABLE(stage_total, "", "proc, cls, stage, outcome, count, scanned, ns",                       \
          "PRIMARY KEY (proc, cls, stage, outcome)) WITHOUT ROWID")                               \
    /* active … unmarked: of the refusal with the most slabs that had nothing live. forgotten,  \
     * unlisted: refusals while slabs were so. told: of count, by events of their own. */         \
    TABLE(fail_total, "",                                                                         \
          "proc, cls, reason, count, first, last, active, cap, listed, marked, beyond, "          \
          "unmarked, forgotten, unlisted, told",                                                  \
          "PRIMARY KEY (proc, cls, reason)) WITHOUT ROWID")                                       \
    TABLE(legacy_total, "", "proc, cls, source, why, count, bytes, told",                         \
          "PRIMARY KEY (proc, cls, source, why)) WITHOUT ROWID")                                  \
    TABLE(cap_change, "", "proc, cls, time, cap_from, cap_to, why, demand", ")")                  \
    TABLE(failure, "kind",                                                                        \
          "time, proc, tid, cls, address, ss, slab, gen, size, got, expect, word, count, "        \
          "place, layer, reason, class_size, used, used_limit, err, "                             \
          "times, told, first, smallest, class_of, bytes",                                        \
          ")")                                                                                    \
    /* state: the stream may have held lifecycle events. count: NULL if unknown. */               \
    TABLE(loss, "kind, stream", "begin, end, count, state", ")")                                  \
    /* explained: a loss explains it. */                                                          \
    TABLE(violation, "rule, seen, expected, previous",                                            \
          "time, proc, ss, slab, gen, owner, previous_time, explained", ")")                      \
    /* 10 ms each, only where something happened; active: at its end. */                          \
    TABLE(tick, "",                                                                               \
          "tick, proc, cls, stage_0_5, stage_1, stage_2, stage_3, adopt, rebind, "                \
          "shared_fail, legacy, refills, refilled, given_own, given_remote, pushed, active",      \
          "PRIMARY KEY (tick, proc, cls)) WITHOUT ROWID")                                         \
    /* One state dump. end: NULL if it was not seen; complete: it was, and nothing is missing;    \
     * transitions, details, exact: see the events; what was not looked at is NULL. */            \
    TABLE(dump, "",                                                                               \
          "proc, seq, begin, end, why, os_pid, rss, vm, limit_as, cgroup_used, "                  \
          "cgroup_limit, maps, max_maps, overcommit, threads, superslab_bytes, "                  \
          "purged_bytes, committed, commit_limit, memory, hdr_resets, double_frees, "             \
          "invalid_frees, map_fails, ooms, superslabs, slabs, ns, complete, "                     \
          "transitions, details, anon, parked_bytes, cached, exact, empty_resident, "             \
          "unbound_resident, headers, tables, shmem",                                             \
          ")")                                                                                    \
    TABLE(dump_class, "",                                                                         \
          "proc, seq, cls, stride, active, peak, cap, frozen, listed, marked, unmarked, "         \
          "ss_lg, shared_fail, legacy_blocks, slabs, used, carved, capacity, parked, "            \
          "samples, sampled, remote, sparse, sparse_free, kept, resident",                        \
          ")")                                                                                    \
    TABLE(dump_pool, "",                                                                          \
          "proc, seq, layer, used, peak, used_limit, mapped, blocks, threshold, "                 \
          "exhaustion, map_fail, cached, idle, resident",                                         \
          ")")                                                                                    \
    /* Of the first and last whole dump in detail, and those made because memory ran short. */    \
    TABLE(dump_slab, "",                                                                          \
          "proc, seq, ss, slab, gen, cls, state, owner, used, carved, capacity, remote, "         \
          "purged",                                                                               \
          ")")                                                                                    \
    TABLE(dump_superslab, "", "proc, seq, ss, lg, slabs, kind, unused, purged", ")")              \
    TABLE(dump_thread, "", "proc, seq, owner, tid, parked, parked_bytes, cached, cpu_ns", ")")    \
    /* Limits of a dump in detail; see the event. */                                              \
    TABLE(dump_limits, "cgroup",                                                                  \
          "proc, seq, data, limit_data, locked, limit_memlock, limit_stack, cgroup_version, "     \
          "cgroup_kills, hard_as, hard_data, hard_memlock, tracer",                               \
          ")")                                                                                    \
    TABLE(pressure, "", "proc, time, what, percent, used, used_limit, rss, anon", ")")            \
    /* From events of single operations. cls: as those tell it. tid 0: of very many threads, the  \
     * last. unseen: of frees, those of blocks whose allocation is not in the recording. live: of \
     * blocks that this thread allocated. */                                                      \
    TABLE(op_total, "",                                                                           \
          "proc, tid, cls, allocs, requested, frees, unseen, live, live_bytes, "                  \
          "untold",                                                                               \
          "PRIMARY KEY (proc, tid, cls)) WITHOUT ROWID")                                          \
    /* Their sizes, from low to high. */                                                          \
    TABLE(op_size, "", "proc, cls, low, high, allocs, requested",                                 \
          "PRIMARY KEY (proc, cls, low)) WITHOUT ROWID")                                          \
    /* Blocks that thread tid freed into slabs of thread of_tid; 0: of nobody's, or not known. */ \
    TABLE(flow, "", "proc, tid, of_tid, pushes, pushed",                                          \
          "PRIMARY KEY (proc, tid, of_tid)) WITHOUT ROWID")                                       \
    /* Histogram of the lifetimes of lives whose begin and end are known. */                      \
    TABLE(lifetime, "", "proc, cls, low, high, count",                                            \
          "PRIMARY KEY (proc, cls, low)) WITHOUT ROWID")

enum table {
#define TABLE(name, texts, numbers, rest) TABLE_##name,
    TABLES(TABLE)
#undef TABLE
        TABLE_COUNT
};

/* How a life ended, as the tables have it. */
enum life_end {
    LIFE_OPEN = 0,     /* it did not, before the recording ended */
    LIFE_LISTED = 1,   /* EMPTY, on the class's stage-1 list */
    LIFE_UNLISTED = 2, /* EMPTY, left for stage 0.5 */
    LIFE_PROCESS = 3,  /* its process executed another program */
    LIFE_UNSEEN = 4,   /* its end is not in the trace */
};

#endif
