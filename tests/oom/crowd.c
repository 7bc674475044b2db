/* Threads that keep what others would need. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "puppet.h"

enum { MANY = 1 << 20, STACK = 64 << 10 };

struct work {
    unsigned long size, count;
    pthread_barrier_t done;
};

static void *blocks[MANY];

static void start(void *(*run)(void *), void *what)
{
    pthread_attr_t small;
    pthread_t thread;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &small, run, what))
        give_up("pthread_create");
    pthread_attr_destroy(&small);
}

_Noreturn static void sleep_for_ever(void)
{
    for (;;)
        pause();
}

static void *free_and_sleep(void *what)
{
    struct work *work = what;
    void **mine = alloca(work->count * sizeof(*mine));

    for (unsigned long i = 0; i < work->count; i++)
        mine[i] = malloc(work->size);
    for (unsigned long i = 0; i < work->count; i++)
        free(mine[i]);
    pthread_barrier_wait(&work->done);
    sleep_for_ever();
}

/* One after the other: all together would take no less room, but on few CPUs more time. */
unsigned long threads(unsigned long n, unsigned long size, unsigned long count)
{
    static struct work work;

    work.size = size;
    work.count = count;
    for (unsigned long i = 0; i < n; i++) {
        pthread_barrier_init(&work.done, NULL, 2);
        start(free_and_sleep, &work);
        pthread_barrier_wait(&work.done);
    }
    return n;
}

static pthread_barrier_t asleep, awake;

static void *allocate_and_sleep(void *what)
{
    struct work *work = what;

    for (unsigned long i = 0; i < work->count; i++)
        blocks[i] = malloc(work->size);
    pthread_barrier_wait(&asleep);
    for (;;) {
        void *volatile block;

        pthread_barrier_wait(&awake);
        for (unsigned long i = 0; i < work->count; i++)
            blocks[i] = malloc(work->size);
        for (unsigned long i = 0; i < work->count; i++) {
            block = blocks[i];
            free(block);
        }
        pthread_barrier_wait(&asleep);
    }
    return NULL;
}

unsigned long lend(unsigned long size, unsigned long count, unsigned long unused)
{
    static struct work work;

    work.size = size;
    work.count = count < MANY ? count : MANY;
    pthread_barrier_init(&asleep, NULL, 2);
    pthread_barrier_init(&awake, NULL, 2);
    start(allocate_and_sleep, &work);
    pthread_barrier_wait(&asleep);
    for (unsigned long i = 0; i < work.count; i++)
        free(blocks[i]);
    return work.count;
}

unsigned long wake(unsigned long unused, unsigned long unused2, unsigned long unused3)
{
    pthread_barrier_wait(&awake);
    pthread_barrier_wait(&asleep);
    return 1;
}
