# The Babeltrace 2 plugin: sink.hakmem.lives.
PLUGIN := $(BUILD)/plugin/babeltrace-plugin-hakmem.so
PLUGIN_SOURCES := $(wildcard analysis/plugin/*.c)
PLUGIN_OBJECTS := $(PLUGIN_SOURCES:analysis/plugin/%.c=$(BUILD)/plugin/obj/%.o)
# Asked only when the plugin is built.
PLUGIN_PACKAGES = babeltrace2 sqlite3

all: $(PLUGIN)

.PHONY: plugin
plugin: $(PLUGIN)

$(BUILD)/plugin/obj/%.o: analysis/plugin/%.c analysis/plugin/build.mk
	@mkdir -p $(@D)
	@echo "  CC      $@"
	$(Q)$(CC) -O2 -std=gnu11 -Wall -Wextra -Werror -g -MMD -MP -fPIC -fvisibility=hidden \
	    -Itracepoints $$(pkg-config --cflags $(PLUGIN_PACKAGES)) -c -o $@ $<

$(PLUGIN): $(PLUGIN_OBJECTS)
	@echo "  LINK    $@"
	$(Q)$(CC) -shared -Wl,-z,defs -o $@ $^ $$(pkg-config --libs $(PLUGIN_PACKAGES))

-include $(PLUGIN_OBJECTS:.o=.d)
