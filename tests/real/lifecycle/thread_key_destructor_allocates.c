/* Destructors of thread-specific data run late in a thread's end, in several passes; they may
 * still allocate and free, also after the allocator's own destructor has run. */
#include "check.h"

enum { THREADS = 200, KEYS = 4, PASSES = 3 };

static pthread_key_t keys[KEYS];
static _Atomic long calls;

typedef struct {
    int passes_left;
    unsigned char bytes[500];
} value;

static void destroy(void *p)
{
    value *v = p, *next = malloc(sizeof *next);
    void *large = malloc(100000);

    CHECK(next && large, "NULL in a destructor");
    CHECK(holds(v->bytes, sizeof v->bytes, 0x66), "a changed block");
    *next = *v;
    free(v);
    free(large);
    calls++;
    if (next->passes_left-- == 0) {
        free(next);
        return;
    }
    for (int k = 0; k < KEYS; k++) {
        if (!pthread_getspecific(keys[k])) {
            pthread_setspecific(keys[k], next); /* asks for another pass */
            return;
        }
    }
    free(next);
}

static void *life(void *arg)
{
    for (int k = 0; k < KEYS; k++) {
        value *v = malloc(sizeof *v);
        CHECK(v, "NULL");
        v->passes_left = PASSES - 1;
        fill(v->bytes, sizeof v->bytes, 0x66);
        pthread_setspecific(keys[k], v);
    }
    return arg;
}

int main(void)
{
    pthread_t id;

    for (int k = 0; k < KEYS; k++)
        CHECK(pthread_key_create(&keys[k], destroy) == 0, "no key");
    for (int i = 0; i < THREADS; i++) {
        int e = pthread_create(&id, NULL, life, NULL);
        CHECK(e == 0, "%s", strerror(e));
        pthread_join(id, NULL);
    }
    CHECK(calls >= THREADS * KEYS, "%ld calls", (long)calls);
    puts("destructors allocated and freed");
    return 0;
}
