/*
 * The knobs of knobs.def, read once from the environment by config_init() and constant
 * afterwards, so read without a lock. Anyone may read; only process.c may initialise.
 */
#ifndef HAKMEM_CONFIG_H
#define HAKMEM_CONFIG_H

#include "geometry.h"
#include "loader.h"

enum recycle { RECYCLE_FULL, RECYCLE_MARK, RECYCLE_OFF };
enum trace_mode { TRACE_NEVER, TRACE_NOW, TRACE_AUTO };

struct config {
#define KNOB_INT(field, ...) uint32_t field;
#define KNOB_ENUM(field, ...) uint32_t field;
#define KNOB_CAPS(field, ...) uint32_t field[CLASSES];
#define KNOB_RATIO(field, ...) uint32_t field;
#define KNOB_BYTES(field, ...) uint64_t field;
#define KNOB_FAULT(field, ...) uint32_t field;
#include "knobs.def"
#undef KNOB_INT
#undef KNOB_ENUM
#undef KNOB_CAPS
#undef KNOB_RATIO
#undef KNOB_BYTES
#undef KNOB_FAULT
};

extern HIDDEN struct config config;

/* Reads the environment, but not that of who started a set-uid program. An unusable value leaves
 * the default. No output: that is config_warn()'s, which is called when stderr can be expected to
 * be the program's own. */
void config_init(void);

/* One line on stderr for each unknown HAKMEM_* name and each unusable value. */
void config_warn(void);

/* Calls each(name, value, is_default, arg) for every knob; value is valid during the call. */
void config_each(void (*each)(const char *, const char *, bool, void *), void *arg);

#endif
