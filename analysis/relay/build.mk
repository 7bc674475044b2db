# What is preloaded into the relay daemon of `hak top`.
GATE := $(BUILD)/relay/libhak-gate.so

all: $(GATE)

$(GATE): analysis/relay/gate.c analysis/relay/build.mk
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) -O2 -std=gnu11 -D_GNU_SOURCE $(WARN) -g -fPIC -fvisibility=hidden -shared \
	    -Wl,-z,defs -o $@ $< -ldl
