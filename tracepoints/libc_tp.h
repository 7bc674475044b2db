/*
 * The LTTng-UST provider "lttng_ust_libc", made from libc.def as hakmem_tp.h is from events.def.
 */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER lttng_ust_libc

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "libc_tp.h"

#if !defined(LIBC_TP_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define LIBC_TP_H

#include <lttng/tracepoint.h>

#include "seam.h"

/* clang-format off */
#define F_PTR(f) lttng_ust_field_integer_hex(uint64_t, f, e->f)
#define F_U64(f) lttng_ust_field_integer(uint64_t, f, e->f)
#define F_I32(f) lttng_ust_field_integer(int32_t, f, e->f)
#define HAK_LIBC_CALL(name, ...)                                                       \
    LTTNG_UST_TRACEPOINT_EVENT(lttng_ust_libc, name,                                   \
                               LTTNG_UST_TP_ARGS(const struct hak_libc_##name *, e),   \
                               LTTNG_UST_TP_FIELDS(__VA_ARGS__))
#include "libc.def"
#undef HAK_LIBC_CALL
#undef F_PTR
#undef F_U64
#undef F_I32
/* clang-format on */

#endif

#include <lttng/tracepoint-event.h>
