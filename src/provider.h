/*
 * The library that knows LTTng, libhakmem-lttng.so: where it lies, and how it is opened. Only
 * listener.c calls this box, on a thread that may wait for the loader. No state.
 */
#ifndef HAKMEM_PROVIDER_H
#define HAKMEM_PROVIDER_H

#include "../tracepoints/seam.h"

/* The provider's table, its library loaded from the directory of this one; NULL, *why set. */
const struct hak_trace_ops *provider_load(const char **why);

#endif
