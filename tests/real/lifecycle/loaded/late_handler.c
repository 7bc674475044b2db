/* Linked to fork_beside_a_flush_of_all_streams.c: its constructor comes before most others', so
 * that its handler runs last before a fork, when whoever was registered later is ready for it. */
#include <pthread.h>

__attribute__((visibility("default"))) _Atomic int last_handlers;

static void last(void)
{
    last_handlers++;
}

__attribute__((constructor(101))) static void load(void)
{
    pthread_atfork(last, NULL, NULL);
}
