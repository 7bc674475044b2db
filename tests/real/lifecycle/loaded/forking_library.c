/* Linked to atfork_handlers_allocate.c: its constructor comes before most others', so that its
 * fork handlers surround those that are registered later. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Each time more than ever before, so that the allocator has to ask the system. */
static void allocate(void)
{
    static size_t most = 1000;
    void **held = calloc(most, sizeof *held);

    if (!held)
        abort();
    for (size_t i = 0; i < most; i++) {
        held[i] = malloc(1 + i % 2000);
        if (!held[i])
            abort();
        memset(held[i], 1, 1 + i % 2000);
    }
    for (size_t i = 0; i < most; i++)
        free(held[i]);
    free(held);
    most += 500;
}

__attribute__((constructor(101))) static void load(void)
{
    pthread_atfork(allocate, allocate, allocate);
}

__attribute__((visibility("default"))) void library_is_there(void)
{
}
