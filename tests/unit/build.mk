# The unit tests: a program a file, into build/tests/unit, linked with the flavour `unit`.
UNIT_OUT := $(BUILD)/tests/unit
UNIT_HELP := tests/unit/scenario.c tests/unit/witness.c
UNIT_SRC := $(filter-out $(UNIT_HELP),$(wildcard tests/unit/*.c))
UNIT_PROGRAMS := $(UNIT_SRC:tests/unit/%.c=$(UNIT_OUT)/%)
UNIT_HELP_OBJ := $(UNIT_HELP:tests/unit/%.c=$(UNIT_OUT)/obj/%.o)
UNIT_CFLAGS = $(COMMON) $(CFLAGS_unit) -Itracepoints

.PHONY: unit-programs check-unit test-programs
unit-programs: $(UNIT_PROGRAMS)
test-programs: unit-programs

$(UNIT_OUT)/obj/%.o: tests/unit/%.c tests/unit/build.mk $(BUILD)/unit/flags
	@mkdir -p $(@D)
	@echo "  CC      $@"
	$(Q)$(CC) $(UNIT_CFLAGS) -c -o $@ $<

$(UNIT_PROGRAMS): $(UNIT_OUT)/%: $(UNIT_OUT)/obj/%.o $(UNIT_HELP_OBJ) $(BUILD)/unit/libhakmem.a
	@echo "  LINK    $@"
	$(Q)$(CC) $(CFLAGS_unit) -o $@ $^ -lcmocka -ldl -pthread

# Each program under a time limit; the output of those that fail is shown.
check-unit: unit-programs
	$(Q)tests/unit/each 600 $(UNIT_PROGRAMS)

-include $(UNIT_SRC:tests/unit/%.c=$(UNIT_OUT)/obj/%.d) $(UNIT_HELP_OBJ:%.o=%.d)
