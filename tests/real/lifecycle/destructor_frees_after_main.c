/* Blocks may be freed and allocated after main, up to the last destructor. */
#include "check.h"

enum { BLOCKS = 1000 };

static unsigned char *blocks[BLOCKS];

static void say(const char *line)
{
    if (write(1, line, strlen(line)) < 0)
        _exit(1);
}

__attribute__((destructor)) static void usual(void)
{
    for (size_t i = 0; i < BLOCKS; i += 2) {
        if (!holds(blocks[i], i, 0x33))
            _exit(1);
        free(blocks[i]);
    }
    say("half freed in a destructor\n");
}

__attribute__((destructor(101))) static void latest(void)
{
    for (size_t i = 1; i < BLOCKS; i += 2) {
        blocks[i] = realloc(blocks[i], i * 3);
        if (!blocks[i] || !holds(blocks[i], i, 0x33))
            _exit(1);
        free(blocks[i]);
    }
    say("the rest in the last one\n");
}

int main(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(i);
        CHECK(blocks[i], "NULL for %zu bytes", i);
        fill(blocks[i], i, 0x33);
    }
    return 0;
}
