# hakmem: `make help` lists the targets.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:

VERSION := 0.1.0
CC := gcc
BUILD := build
PYTHON := /usr/bin/python3
PREFIX ?= /usr/local
DESTDIR ?=

# make V=1 shows the commands.
Q := $(if $(V),,@)

# -fno-builtin-*: as built with -O2, gcc would turn the malloc and memset of our own calloc into
# a call of calloc.
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wpointer-arith -Werror
COMMON := -std=gnu11 -D_GNU_SOURCE $(WARN) -g -MMD -MP -fvisibility=hidden -fPIC -pthread \
          -ftls-model=initial-exec -fno-builtin-malloc -fno-builtin-calloc \
          -fno-builtin-realloc -fno-builtin-free -Isrc -DHAK_VERSION='"$(VERSION)"'

# Flavours: same sources, side by side under build/FLAVOUR/.
FLAVOURS := trace release debug tsan
CFLAGS_trace := -O2 -DHAK_TRACE=1 -DHAK_INTERPOSE=1
CFLAGS_release := -O2 -DHAK_TRACE=0 -DHAK_INTERPOSE=1
CFLAGS_debug := -O0 -DHAK_TRACE=1 -DHAK_INTERPOSE=1 -DHAK_DEBUG
# ThreadSanitizer owns malloc itself: this flavour exports hak_malloc and its relatives only.
CFLAGS_tsan := -O1 -fsanitize=thread -DHAK_TRACE=1 -DHAK_INTERPOSE=0
# For the unit tests: assertions, and malloc left to the test framework.
CFLAGS_unit := -O1 -DHAK_TRACE=1 -DHAK_INTERPOSE=0 -DHAK_DEBUG

SOURCES := $(wildcard src/*.c)

.PHONY: all
all: $(FLAVOURS:%=$(BUILD)/%/libhakmem.so)

define flavour
$(BUILD)/$(1)/obj/%.o: src/%.c $(BUILD)/$(1)/flags
	@mkdir -p $$(@D)
	@echo "  CC      $$@"
	$$(Q)$$(CC) $$(COMMON) $$(CFLAGS_$(1)) -DHAK_FLAVOUR='"$(1)"' -c -o $$@ $$<

$(BUILD)/$(1)/libhakmem.a: $(SOURCES:src/%.c=$(BUILD)/$(1)/obj/%.o)
	@rm -f $$@
	@echo "  AR      $$@"
	$$(Q)$$(AR) rcs $$@ $$^

$(BUILD)/$(1)/libhakmem.so: $(SOURCES:src/%.c=$(BUILD)/$(1)/obj/%.o)
	@echo "  LINK    $$@"
	$$(Q)$$(CC) $$(CFLAGS_$(1)) -shared -pthread -Wl,-z,defs -Wl,-soname,libhakmem.so -o $$@ $$^ -ldl

# Other flags, other objects: nothing stale survives a change of the command line.
$(BUILD)/$(1)/flags: FORCE
	@mkdir -p $$(@D)
	@echo '$$(CC) $$(COMMON) $$(CFLAGS_$(1))' | cmp -s - $$@ || \
	    echo '$$(CC) $$(COMMON) $$(CFLAGS_$(1))' > $$@

-include $(SOURCES:src/%.c=$(BUILD)/$(1)/obj/%.d)
endef
$(foreach f,$(FLAVOURS) unit,$(eval $(call flavour,$(f))))

FORCE:

# The LTTng provider, one beside each flavour that can load it.
$(BUILD)/%/libhakmem-lttng.so: tracepoints/provider.c $(wildcard tracepoints/*.def tracepoints/*.h)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -fPIC -fvisibility=hidden -shared \
	    -Itracepoints -Wl,-soname,libhakmem-lttng.so -o $@ $< -llttng-ust -ldl

all: $(BUILD)/trace/libhakmem-lttng.so $(BUILD)/debug/libhakmem-lttng.so

-include tests/bench/build.mk
-include tests/real/build.mk
-include analysis/plugin/build.mk
-include tests/unit/build.mk
-include tests/stress/build.mk

.PHONY: clean
clean:
	rm -rf $(BUILD)
