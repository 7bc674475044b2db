# The corpus of bugs and of what only looks like one. They call the standard functions and do what
# nobody should: the compiler must neither see through it nor optimise it away.
MEMCHECK_OUT := build/tests/memcheck
MEMCHECK_DIR := tests/memcheck/programs
MEMCHECK_C := $(patsubst $(MEMCHECK_DIR)/%.c,$(MEMCHECK_OUT)/%,$(wildcard $(MEMCHECK_DIR)/*.c))
MEMCHECK_CXX := $(patsubst $(MEMCHECK_DIR)/%.cpp,$(MEMCHECK_OUT)/%,$(wildcard $(MEMCHECK_DIR)/*.cpp))
MEMCHECK_THREADS := $(patsubst tests/memcheck/threads/%.c,$(MEMCHECK_OUT)/threads/%,\
	$(wildcard tests/memcheck/threads/*.c))
# -w: gcc warns of just what they are for.
MEMCHECK_FLAGS := -O0 -g -pthread -fno-builtin -w

.PHONY: memcheck-programs test-programs
memcheck-programs: $(MEMCHECK_C) $(MEMCHECK_CXX) $(MEMCHECK_THREADS)
test-programs: memcheck-programs

$(MEMCHECK_C): $(MEMCHECK_OUT)/%: $(MEMCHECK_DIR)/%.c $(MEMCHECK_DIR)/program.h tests/memcheck/build.mk
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(MEMCHECK_FLAGS) -o $@ $<

$(MEMCHECK_CXX): $(MEMCHECK_OUT)/%: $(MEMCHECK_DIR)/%.cpp $(MEMCHECK_DIR)/program.h \
		tests/memcheck/build.mk
	@mkdir -p $(@D)
	$(Q)g++ -std=gnu++17 $(MEMCHECK_FLAGS) -o $@ $<

$(MEMCHECK_THREADS): $(MEMCHECK_OUT)/threads/%: tests/memcheck/threads/%.c \
		$(MEMCHECK_DIR)/program.h tests/memcheck/build.mk
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(MEMCHECK_FLAGS) -o $@ $<

# Those whose whole output is compared.
MEMCHECK_WHOLE := $(patsubst tests/memcheck/whole/%.c,$(MEMCHECK_OUT)/whole/%,\
	$(wildcard tests/memcheck/whole/*.c))
memcheck-programs: $(MEMCHECK_WHOLE)

$(MEMCHECK_WHOLE): $(MEMCHECK_OUT)/whole/%: tests/memcheck/whole/%.c tests/memcheck/build.mk
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(MEMCHECK_FLAGS) -o $@ $<
