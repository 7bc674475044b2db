# The model checks, into build/tests/model: a box's .c files compiled into NAME.c, their atomic
# operations made steps of model.c, the other boxes from the flavour `unit`.
MODEL_OUT := $(BUILD)/tests/model
MODEL_SRC := $(filter-out tests/model/model.c,$(wildcard tests/model/*.c))
MODEL_PROGRAMS := $(MODEL_SRC:tests/model/%.c=$(MODEL_OUT)/%)

.PHONY: model-programs check-model test-programs
model-programs: $(MODEL_PROGRAMS)
test-programs: model-programs

# _FORTIFY_SOURCE takes a jump to another stack for a mistake.
$(MODEL_OUT)/obj/%.o: tests/model/%.c tests/model/build.mk $(BUILD)/unit/flags
	@mkdir -p $(@D)
	@echo "  CC      $@"
	$(Q)$(CC) $(COMMON) $(CFLAGS_unit) -U_FORTIFY_SOURCE -Itests/model -c -o $@ $<

$(MODEL_PROGRAMS): $(MODEL_OUT)/%: $(MODEL_OUT)/obj/%.o $(MODEL_OUT)/obj/model.o \
    $(BUILD)/unit/libhakmem.a
	@echo "  LINK    $@"
	$(Q)$(CC) $(CFLAGS_unit) -o $@ $^ -ldl -pthread

check-model: model-programs
	$(Q)passed=0 failed=0; for p in $(MODEL_PROGRAMS); do \
	    timeout --kill-after=5 600 $$p && ((++passed)) || ((++failed)); done; \
	    echo "$$passed passed, $$failed failed, 0 skipped"; [ $$failed -eq 0 ]

-include $(MODEL_SRC:tests/model/%.c=$(MODEL_OUT)/obj/%.d) $(MODEL_OUT)/obj/model.d
