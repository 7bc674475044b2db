/*
 * The LTTng-UST provider "hakmem", made from events.def. LTTng includes this file several
 * times with its macros redefined; the F_ macros below expand to whatever a pass needs.
 */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER hakmem

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "hakmem_tp.h"

#if !defined(HAKMEM_TP_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define HAKMEM_TP_H

#include <lttng/tracepoint.h>

#include "seam.h"

/* clang-format off */
#define HAK_ENUM(name, ...) \
    LTTNG_UST_TRACEPOINT_ENUM(hakmem, name, LTTNG_UST_TP_ENUM_VALUES(__VA_ARGS__))
#define V(label, number) lttng_ust_field_enum_value(#label, number)
#include "enums.def"
#undef V
#undef HAK_ENUM

#define F_PTR(f) lttng_ust_field_integer_hex(uint64_t, f, e->f)
#define F_U64(f) lttng_ust_field_integer(uint64_t, f, e->f)
#define F_U32(f) lttng_ust_field_integer(uint32_t, f, e->f)
#define F_I32(f) lttng_ust_field_integer(int32_t, f, e->f)
#define F_ENUM(f, n) lttng_ust_field_enum(hakmem, n, uint8_t, f, e->f)
#define F_STR(f) lttng_ust_field_string(f, e->f)
#define HAK_EVENT(name, tier, level, ...)                                              \
    LTTNG_UST_TRACEPOINT_EVENT(hakmem, name,                                           \
                               LTTNG_UST_TP_ARGS(const struct hak_ev_##name *, e),     \
                               LTTNG_UST_TP_FIELDS(__VA_ARGS__))                       \
    LTTNG_UST_TRACEPOINT_LOGLEVEL(hakmem, name, LTTNG_UST_TRACEPOINT_LOGLEVEL_##level)
#include "events.def"
#undef HAK_EVENT
#undef F_PTR
#undef F_U64
#undef F_U32
#undef F_I32
#undef F_ENUM
#undef F_STR
/* clang-format on */

#endif

#include <lttng/tracepoint-event.h>
