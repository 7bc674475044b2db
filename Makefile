# hakmem: `make help` lists the targets; `make V=1` shows the commands.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all

VERSION := 0.1.0
CC := gcc
BUILD := build
PYTHON := /usr/bin/python3
PREFIX ?= /usr/local
DESTDIR ?=
Q := $(if $(V),,@)

# -fno-builtin-*: as built with -O2, gcc would turn the malloc and memset of our own calloc into
# a call of calloc.
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wpointer-arith -Werror
COMMON := -std=gnu11 -D_GNU_SOURCE $(WARN) -g -MMD -MP -fvisibility=hidden -fPIC -pthread \
          -ftls-model=initial-exec -fno-builtin-malloc -fno-builtin-calloc \
          -fno-builtin-realloc -fno-builtin-free -Isrc -DHAK_VERSION='"$(VERSION)"'

# nodelete: its thread keys, threads and fork handlers outlive a dlclose().
LINK := -shared -pthread -Wl,-z,defs,-z,nodelete -Wl,-soname,libhakmem.so

# Flavours: same sources, side by side under build/FLAVOUR/.
FLAVOURS := trace release debug tsan
CFLAGS_trace := -O2 -DHAK_TRACE=1 -DHAK_VALGRIND=1 -DHAK_INTERPOSE=1
CFLAGS_release := -O2 -DHAK_TRACE=0 -DHAK_VALGRIND=0 -DHAK_INTERPOSE=1
CFLAGS_debug := -O0 -DHAK_TRACE=1 -DHAK_VALGRIND=1 -DHAK_INTERPOSE=1 -DHAK_DEBUG
# ThreadSanitizer owns malloc itself: this flavour exports hak_malloc and its relatives only.
CFLAGS_tsan := -O1 -fsanitize=thread -DHAK_TRACE=1 -DHAK_VALGRIND=0 -DHAK_INTERPOSE=0
# For the unit tests: assertions, and malloc left to the test framework.
CFLAGS_unit := -O1 -DHAK_TRACE=1 -DHAK_VALGRIND=0 -DHAK_INTERPOSE=0 -DHAK_DEBUG

SOURCES := $(wildcard src/*.c)
CATALOGUE := $(wildcard tracepoints/*.def tracepoints/*.h)

.PHONY: all
all: ## build the allocator in all flavours, the LTTng provider and the Babeltrace plugin
all: $(FLAVOURS:%=$(BUILD)/%/libhakmem.so)
all: $(BUILD)/trace/libhakmem-lttng.so $(BUILD)/debug/libhakmem-lttng.so

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
	$$(Q)$$(CC) $$(CFLAGS_$(1)) $$(LINK) -o $$@ $$^ -ldl

# Other flags, other objects: nothing stale survives a change of the command line.
$(BUILD)/$(1)/flags: FORCE
	@mkdir -p $$(@D)
	@echo '$$(CC) $$(COMMON) $$(CFLAGS_$(1)) $$(LINK)' | cmp -s - $$@ || \
	    echo '$$(CC) $$(COMMON) $$(CFLAGS_$(1)) $$(LINK)' > $$@

-include $(SOURCES:src/%.c=$(BUILD)/$(1)/obj/%.d)
endef
$(foreach f,$(FLAVOURS) unit,$(eval $(call flavour,$(f))))

FORCE:

# The LTTng provider, one beside each flavour that can load it. libhakmem comes before the C library
# in what it needs: LTTng, bound to that first, must not get the C library's malloc. Who loads the
# provider without it finds it beside it.
$(BUILD)/%/libhakmem-lttng.so: tracepoints/provider.c $(CATALOGUE) $(BUILD)/%/libhakmem.so
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -fPIC -fvisibility=hidden \
	    -shared -Itracepoints -Wl,-soname,libhakmem-lttng.so -o $@ $< \
	    -Wl,--push-state,--no-as-needed $(@D)/libhakmem.so -Wl,--pop-state -Wl,-rpath,'$$ORIGIN' \
	    -llttng-ust -llttng-ust-common -ldl

-include analysis/plugin/build.mk
-include analysis/relay/build.mk
-include tests/bench/build.mk
-include tests/real/build.mk
-include tests/unit/build.mk
-include tests/attack/build.mk
-include tests/model/build.mk
-include tests/stress/build.mk
-include tests/analysis/build.mk
-include tests/flight/build.mk
-include tests/memcheck/build.mk
-include tests/oom/build.mk
-include tests/fuzz/build.mk

# The set-up comes first and by a make of its own: what it installs decides what can be built.
.PHONY: demo
demo: ## record a redis-server under load, analyse the recording, tell the story
	$(Q)scripts/bootstrap demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)scripts/demo

.PHONY: test
test: ## set up, build everything and run every test
	$(Q)scripts/bootstrap test
	$(Q)$(MAKE) --no-print-directory -j2 all test-programs bench-programs real-programs
	$(Q)tests/run

.PHONY: bench
bench: ## measure beside glibc, jemalloc, mimalloc and tcmalloc; ROUNDS=n
	$(Q)scripts/bootstrap bench
	$(Q)$(MAKE) --no-print-directory -j2 all bench-programs
	$(Q)scripts/bench $(if $(ROUNDS),--rounds $(ROUNDS))

.PHONY: phase9
phase9: ## measure what this project came from: forgotten EMPTY slabs, and three remedies; ROUNDS=n
	$(Q)scripts/bootstrap demo
	$(Q)$(MAKE) --no-print-directory -j2 all bench-programs
	$(Q)scripts/phase9 $(if $(ROUNDS),--rounds $(ROUNDS))

.PHONY: fuzz
fuzz: ## read damaged traces, and foreign bytes, at random; COPIES=n (3000), SEED=n, SECONDS=n (60)
	$(Q)scripts/bootstrap test
	$(Q)$(MAKE) --no-print-directory -j2 all fuzz-programs
	$(Q)tests/fuzz/each $(or $(SECONDS),60) $(FUZZ_PROGRAMS)
	$(Q)$(PYTHON) tests/damage/fuzz.py $(or $(COPIES),3000) $(SEED)

.PHONY: oom
oom: ## put every scenario of an out-of-memory failure before `hak oom` in every way, apply the remedies
	$(Q)scripts/bootstrap test
	$(Q)$(MAKE) --no-print-directory -j2 all test-programs
	$(Q)tests/pytests tests/oom --every-way

.PHONY: soak
soak: ## stress programs and real ones under load, with random seeds; MINUTES=n (30)
	$(Q)scripts/bootstrap test
	$(Q)$(MAKE) --no-print-directory -j2 all stress-programs real-programs
	$(Q)scripts/soak $(if $(MINUTES),$(MINUTES))

LIB := $(DESTDIR)$(PREFIX)/lib/hakmem

.PHONY: install
install: ## install below PREFIX (/usr/local), staged in DESTDIR
install: all
	install -d $(LIB)/plugin $(LIB)/scripts $(LIB)/tracepoints $(DESTDIR)$(PREFIX)/bin \
	    $(DESTDIR)$(PREFIX)/include
	install -m 755 $(BUILD)/trace/libhakmem.so $(BUILD)/trace/libhakmem-lttng.so $(LIB)
	install -m 755 $(wildcard $(BUILD)/plugin/*.so) $(LIB)/plugin
	install -m 755 $(GATE) $(LIB)
	install -m 644 tracepoints/events.def tracepoints/enums.def $(LIB)/tracepoints
	install -m 755 scripts/hak $(LIB)/scripts
	cd analysis && find hak -name '*.py' -o -name '*.md' -o -name '*.supp' | \
	    xargs -I{} install -D -m 644 {} $(abspath $(LIB))/analysis/{}
	find dashboards -type f -exec install -D -m 644 {} $(abspath $(LIB))/{} \;
	install -m 644 src/hakmem.h $(DESTDIR)$(PREFIX)/include
	ln -sfn ../lib/hakmem/scripts/hak $(DESTDIR)$(PREFIX)/bin/hak

.PHONY: uninstall
uninstall: ## remove what install put there
	rm -rf $(LIB)
	rm -f $(DESTDIR)$(PREFIX)/bin/hak $(DESTDIR)$(PREFIX)/include/hakmem.h

C_FILES = $(shell git ls-files '*.c' '*.h')
PYTHON_FILES = $(shell git ls-files '*.py'; git grep -lE '^\#!.*python3' -- ':!*.py')
SHELL_FILES = $(shell git grep -lE '^\#!/bin/(ba)?sh')
# tidy FILES, and then the compiler's options: a process a file, for clang-tidy uses one processor.
tidy = printf '%s\n' $(1) | xargs -P2 -I{} clang-tidy --quiet {} -- -std=gnu11 -D_GNU_SOURCE

.PHONY: format
format: ## lay out all C sources by .clang-format
	clang-format -i $(C_FILES)

.PHONY: lint
lint: ## check layout, and what clang-tidy, pyflakes and the shell find without running anything
	$(Q)scripts/bootstrap lint
	@echo "  LAYOUT  *.c *.h"
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	@echo "  TIDY    src/*.c"
	$(Q)$(call tidy,$(SOURCES)) -Isrc -DHAK_TRACE=1 -DHAK_VALGRIND=1 -DHAK_INTERPOSE=1 \
	    -DHAK_FLAVOUR='"trace"' -DHAK_VERSION='"$(VERSION)"'
	@echo "  TIDY    analysis/plugin/*.c analysis/relay/gate.c tracepoints/provider.c"
	$(Q)$(call tidy,$(PLUGIN_SOURCES) analysis/relay/gate.c tracepoints/provider.c) -Itracepoints
	@echo "  FLAKES  *.py"
	$(Q)pyflakes3 $(PYTHON_FILES)
	@echo "  SYNTAX  shell"
	$(Q)for f in $(SHELL_FILES); do bash -n $$f || exit 1; done

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(BUILD)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z]+: ## ' $(firstword $(MAKEFILE_LIST)) | \
	    sed -E 's/^([a-z]+): ## (.*)/  make \1\t\2/' | expand -t 18
