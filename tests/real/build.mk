# The small programs of tests/real/lifecycle, into build/real. They call the standard functions;
# the compiler must not optimise those calls away.
REAL_OUT := build/real
REAL_DIR := tests/real/lifecycle
REAL_SRC := $(wildcard $(REAL_DIR)/*.c)
REAL_PROGRAMS := $(patsubst $(REAL_DIR)/%.c,$(REAL_OUT)/%,$(REAL_SRC))
REAL_LIBRARIES := $(REAL_OUT)/allocating_library.so $(REAL_OUT)/forking_library.so
REAL_CFLAGS := -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -pthread -fno-builtin

.PHONY: real-programs
real-programs: $(REAL_PROGRAMS) $(REAL_LIBRARIES)

$(REAL_OUT)/atfork_handlers_allocate: REAL_LINK := $(REAL_OUT)/forking_library.so \
	-Wl,-rpath,'$$ORIGIN'
$(REAL_OUT)/atfork_handlers_allocate: $(REAL_OUT)/forking_library.so

$(REAL_PROGRAMS): $(REAL_OUT)/%: $(REAL_DIR)/%.c $(REAL_DIR)/check.h tests/real/build.mk
	@mkdir -p $(@D)
	$(CC) $(REAL_CFLAGS) -o $@ $< $(REAL_LINK) -ldl

$(REAL_LIBRARIES): $(REAL_OUT)/%.so: $(REAL_DIR)/loaded/%.c tests/real/build.mk
	@mkdir -p $(@D)
	$(CC) $(REAL_CFLAGS) -fPIC -shared -Wl,-soname,$*.so -o $@ $<
