# The benchmarks, into build/bench. They call plain malloc; the allocator is preloaded, so the
# compiler must not think it knows what malloc does.
BENCH_OUT := build/bench
BENCH_SRC := $(wildcard tests/bench/*.c)
BENCH_PROGRAMS := $(patsubst tests/bench/%.c,$(BENCH_OUT)/%,$(BENCH_SRC))
BENCH_CFLAGS := -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -pthread \
	-fno-builtin-malloc -fno-builtin-calloc -fno-builtin-free

.PHONY: bench-programs
bench-programs: $(BENCH_PROGRAMS)

$(BENCH_OUT)/%: tests/bench/%.c tests/bench/bench.h tests/bench/build.mk
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -o $@ $<
