# The program that the scenarios of an out-of-memory failure are played with. It calls plain
# malloc; the allocator is preloaded, so the compiler must not think it knows what malloc does.
OOM_OUT := build/tests/oom

.PHONY: oom-programs test-programs
oom-programs: $(OOM_OUT)/puppet
test-programs: oom-programs

$(OOM_OUT)/puppet: $(wildcard tests/oom/*.c tests/oom/*.h) tests/oom/build.mk
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -Wno-use-after-free \
	    -Wno-unused-parameter -pthread -fno-builtin-malloc -fno-builtin-free -o $@ \
	    $(filter %.c,$^)
