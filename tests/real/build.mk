# The small programs of tests/real/lifecycle, into build/real. They call the standard functions;
# the compiler must not optimise those calls away.
REAL_OUT := build/real
REAL_DIR := tests/real/lifecycle
REAL_SRC := $(wildcard $(REAL_DIR)/*.c)
REAL_PROGRAMS := $(patsubst $(REAL_DIR)/%.c,$(REAL_OUT)/%,$(REAL_SRC))
REAL_LIBRARIES := $(REAL_OUT)/allocating_library.so $(REAL_OUT)/forking_library.so \
    $(REAL_OUT)/late_handler.so $(REAL_OUT)/calling_library.so $(REAL_OUT)/giving_library.so
REAL_CFLAGS := -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -pthread -fno-builtin

.PHONY: real-programs
real-programs: $(REAL_PROGRAMS) $(REAL_LIBRARIES) $(REAL_OUT)/misuse $(REAL_OUT)/operators

$(REAL_OUT)/atfork_handlers_allocate: REAL_LINK := $(REAL_OUT)/forking_library.so \
	-Wl,-rpath,'$$ORIGIN'
$(REAL_OUT)/atfork_handlers_allocate: $(REAL_OUT)/forking_library.so

$(REAL_OUT)/fork_beside_a_flush_of_all_streams: REAL_LINK := $(REAL_OUT)/late_handler.so \
	-Wl,-rpath,'$$ORIGIN'
$(REAL_OUT)/fork_beside_a_flush_of_all_streams: $(REAL_OUT)/late_handler.so

$(REAL_OUT)/calling_library.so: REAL_PATH := -Wl,-rpath,'$$ORIGIN/beside'

$(REAL_PROGRAMS): $(REAL_OUT)/%: $(REAL_DIR)/%.c $(REAL_DIR)/check.h tests/refuse.h tests/real/build.mk
	@mkdir -p $(@D)
	$(CC) $(REAL_CFLAGS) -o $@ $< $(REAL_LINK) -ldl

$(REAL_LIBRARIES): $(REAL_OUT)/%.so: $(REAL_DIR)/loaded/%.c tests/real/build.mk
	@mkdir -p $(@D)
	$(CC) $(REAL_CFLAGS) -fPIC -shared -Wl,-soname,$*.so $(REAL_PATH) -o $@ $<

# Programs that do what nobody should: the compiler must not see through it.
$(REAL_OUT)/misuse: tests/real/misuse/misuse.c tests/real/build.mk
	@mkdir -p $(@D)
	$(CC) $(filter-out -O2,$(REAL_CFLAGS)) -O0 -Wno-free-nonheap-object -Wno-use-after-free -o $@ $< -ldl

$(REAL_OUT)/operators: tests/real/misuse/operators.cpp tests/real/build.mk
	@mkdir -p $(@D)
	g++ -std=c++17 -O0 -g -Wall -Wextra -Werror -pthread -o $@ $< -ldl
