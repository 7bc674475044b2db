# The program that gets into the troubles flight is there for. It calls plain malloc; the
# allocator is preloaded, so the compiler must not think it knows what malloc does.
FLIGHT_OUT := build/tests/flight
FLIGHT_PROGRAMS := $(FLIGHT_OUT)/trouble

.PHONY: flight-programs test-programs
flight-programs: $(FLIGHT_PROGRAMS)
test-programs: flight-programs

$(FLIGHT_OUT)/%: tests/flight/%.c tests/flight/build.mk
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -Wno-use-after-free \
	    -fno-builtin-malloc -fno-builtin-free -o $@ $<
