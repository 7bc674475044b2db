# The stress tests, into build/tests/stress: NAME with the allocator linked in, NAME_tsan under
# ThreadSanitizer, NAME_preload and the rest with the standard functions, to be preloaded.
STRESS_OUT := $(BUILD)/tests/stress
STRESS_LINKED := pass_blocks fork_storm come_and_go
STRESS_PRELOADED := pass_blocks_preload fork_storm_preload fill_free_fill known_program
STRESS_PROGRAMS := $(addprefix $(STRESS_OUT)/,$(STRESS_LINKED) pass_blocks_tsan come_and_go_tsan \
    $(STRESS_PRELOADED))
STRESS_HEADERS := $(wildcard tests/stress/*.h src/*.h src/*.def tracepoints/*.h tracepoints/*.def)
STRESS_PLAIN := -std=gnu11 -D_GNU_SOURCE $(WARN) -O1 -g -pthread -fno-builtin -DPLAIN

.PHONY: stress-programs check-stress test-programs
stress-programs: $(STRESS_PROGRAMS)
test-programs: stress-programs

$(STRESS_PROGRAMS): tests/stress/build.mk $(STRESS_HEADERS)

$(addprefix $(STRESS_OUT)/,$(STRESS_LINKED)): $(STRESS_OUT)/%: tests/stress/%.c \
    tests/stress/at_the_end.c $(BUILD)/unit/libhakmem.a
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(filter-out -MMD -MP,$(COMMON)) $(CFLAGS_unit) -o $@ $(filter %.c %.a,$^) -ldl

$(STRESS_OUT)/%_tsan: tests/stress/%.c tests/stress/at_the_end.c $(BUILD)/tsan/libhakmem.a
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(filter-out -MMD -MP,$(COMMON)) $(CFLAGS_tsan) -o $@ $(filter %.c %.a,$^) -ldl

$(STRESS_OUT)/%_preload: tests/stress/%.c
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(STRESS_PLAIN) -o $@ $<

$(STRESS_OUT)/fill_free_fill $(STRESS_OUT)/known_program: $(STRESS_OUT)/%: tests/stress/%.c
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(STRESS_PLAIN) -o $@ $< -ldl

check-stress: stress-programs all
	$(Q)tests/stress/run
