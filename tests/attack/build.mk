# The attacks, a program each, into build/attack. Plain: they are preloaded.
ATTACK_OUT := $(BUILD)/attack
ATTACK_SRC := $(wildcard tests/attack/programs/*.c)
ATTACK_PROGRAMS := $(ATTACK_SRC:tests/attack/programs/%.c=$(ATTACK_OUT)/%)

.PHONY: attack-programs check-attack test-programs
attack-programs: $(ATTACK_PROGRAMS)
test-programs: attack-programs

# The misuse is the point.
$(ATTACK_PROGRAMS): $(ATTACK_OUT)/%: tests/attack/programs/%.c tests/attack/build.mk \
    $(wildcard tests/attack/programs/*.h)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -Wno-unknown-warning-option -Wno-use-after-free \
	    -Wno-free-nonheap-object -Wno-unused-result -O1 -g -fno-builtin -pthread -o $@ $<

check-attack: attack-programs $(BUILD)/trace/libhakmem.so $(BUILD)/release/libhakmem.so
	$(Q)tests/attack/run
