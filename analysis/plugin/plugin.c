/* The Babeltrace 2 plugin `hakmem`. */
#include "component.h"

/* The loader looks for what these macros define. */
#pragma GCC visibility push(default)
BT_PLUGIN_MODULE();
BT_PLUGIN(hakmem);
BT_PLUGIN_DESCRIPTION("Reads recordings of the hakmem allocator");
BT_PLUGIN_SINK_COMPONENT_CLASS(lives, component_consume);
BT_PLUGIN_SINK_COMPONENT_CLASS_DESCRIPTION(
    lives, "Rebuild the lives of slabs, check them and write them to an SQLite file");
BT_PLUGIN_SINK_COMPONENT_CLASS_INITIALIZE_METHOD(lives, component_init);
BT_PLUGIN_SINK_COMPONENT_CLASS_GRAPH_IS_CONFIGURED_METHOD(lives, component_configured);
BT_PLUGIN_SINK_COMPONENT_CLASS_FINALIZE_METHOD(lives, component_finalize);
#pragma GCC visibility pop
