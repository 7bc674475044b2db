# What reads foreign bytes, under libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer.
FUZZ_OUT := $(BUILD)/tests/fuzz
FUZZ_PROGRAMS := $(FUZZ_OUT)/machine
FUZZ_PLUGIN := $(filter-out %/component.c %/plugin.c %/decode.c %/losses.c,$(PLUGIN_SOURCES))

.PHONY: fuzz-programs check-fuzz
fuzz-programs: $(FUZZ_PROGRAMS)
test-programs: fuzz-programs

$(FUZZ_OUT)/machine: tests/fuzz/machine.c $(FUZZ_PLUGIN) $(wildcard analysis/plugin/*.h) $(CATALOGUE)
	@mkdir -p $(@D)
	@echo "  FUZZ    $@"
	$(Q)clang -std=gnu11 -U_GNU_SOURCE -O1 -g -Wall -Wextra -Werror \
	    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -Itracepoints \
	    -Ianalysis/plugin -o $@ tests/fuzz/machine.c $(FUZZ_PLUGIN) $$(pkg-config --libs sqlite3)

check-fuzz: fuzz-programs
	$(Q)tests/fuzz/each 10 $(FUZZ_PROGRAMS)
