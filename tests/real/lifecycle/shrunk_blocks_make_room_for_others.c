/* While a large block shrinks, the addresses that it gives up may be another allocator's block
 * at once. Whose block that is must be clear at every moment. */
#include <malloc.h>

#include "check.h"

enum { MS = 1500, THREADS = 4 };
static const size_t OLD = 6400 << 10, NEW = 2660 << 10, OTHER = 3800 << 10;

/* The C library's own, whatever is preloaded. */
void *__libc_malloc(size_t);
int __libc_mallopt(int, int);

static _Atomic bool stop;
static _Atomic long taken, shrunk;

static void *take_what_is_given_up(void *arg)
{
    while (!stop) {
        unsigned char *p = __libc_malloc(OTHER);
        size_t usable = malloc_usable_size(p);

        CHECK(p && usable >= OTHER, "%p: %zu bytes of %zu", (void *)p, usable, OTHER);
        p[0] = p[OTHER - 1] = 1;
        free(p);
        taken++;
    }
    return arg;
}

static void *shrink(void *arg)
{
    while (!stop) {
        unsigned char *p = malloc(OLD), *q;

        CHECK(p, "NULL");
        p[0] = 42;
        q = realloc(p, NEW);
        CHECK(q && q[0] == 42, "%p", (void *)q);
        free(q);
        shrunk++;
    }
    return arg;
}

int main(void)
{
    pthread_t ids[2 * THREADS];

    /* A mapping for each block. */
    __libc_mallopt(M_MMAP_THRESHOLD, 1 << 17);
    for (int i = 0; i < 2 * THREADS; i++)
        CHECK(pthread_create(&ids[i], NULL, i % 2 ? shrink : take_what_is_given_up, NULL) == 0,
              "no thread");
    nanosleep(&(struct timespec){MS / 1000, MS % 1000 * 1000000L}, NULL);
    stop = true;
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(ids[i], NULL);
    printf("note: shrunk %ld times beside %ld blocks of another allocator's\n", (long)shrunk,
           (long)taken);
    puts("everybody's blocks were everybody's own");
    return 0;
}
