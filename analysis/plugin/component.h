/*
 * sink.hakmem.lives: consumes the messages of a trace and writes what the machine makes of them
 * to the SQLite file `db`.
 *
 *     db           path, required; what is there is taken for an empty file and filled
 *     begin, end   nanoseconds since the epoch: totals and rows for this window only
 *     identity     kept in the file, for who finds it again
 *     overwritten  a time of the trace's clock before which streams may lack events
 *     unfinished   from then on streams may lack events, which came too late to be in it
 *     missing      what is known to be missing: maps of `stream`, and of the times `begin` and
 * `end` and how many `packets`, each 0 or absent if unknown
 *
 * When the source fails in the middle, the file is completed with what was read until then, and
 * the failure passed on.
 */
#ifndef HAK_COMPONENT_H
#define HAK_COMPONENT_H

#include <babeltrace2/babeltrace.h>
#include <stdatomic.h>
#include <stdint.h>

/* How far reading has come, for who draws a progress bar or waits with an end. In memory that may
 * be shared with another process, told by hakmem_lives_watch(). */
struct watch {
    _Atomic uint64_t steps; /* changes while there is progress */
    _Atomic int64_t ns;     /* the time of the latest event */
};

void hakmem_lives_watch(struct watch *where);

bt_component_class_initialize_method_status component_init(
    bt_self_component_sink *self, bt_self_component_sink_configuration *config,
    const bt_value *params, void *data);
bt_component_class_sink_graph_is_configured_method_status component_configured(
    bt_self_component_sink *self);
bt_component_class_sink_consume_method_status component_consume(bt_self_component_sink *self);
void component_finalize(bt_self_component_sink *self);

#endif
