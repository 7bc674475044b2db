/*
 * What every program of the corpus needs. Each has one bug, or looks as if it had one, and does
 * nothing else; some are run with several sizes and distances: argument(argv, n).
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where values go that the compiler must not think unused. */
static volatile char sink;

#define argument(argv, n) strtol((argv)[n], NULL, 10)

static inline void run_thread(void *(*run)(void *), void *arg)
{
    pthread_t t;

    if (pthread_create(&t, NULL, run, arg) != 0 || pthread_join(t, NULL) != 0)
        abort();
}

/* n allocations and frees of sizes that come and go. */
static inline void be_busy(int n)
{
    void *kept[64] = {NULL};

    for (int i = 0; i < n; i++) {
        free(kept[i % 64]);
        kept[i % 64] = malloc((size_t)(i * 37 % 400 + 1));
    }
    for (int i = 0; i < 64; i++)
        free(kept[i]);
}

#endif
