/* At its very end, after all destructors, a detached thread may free what the C library kept for
 * others. A thread that did nothing else has left nothing behind, and its process ends with its
 * last thread. */
#include "check.h"

enum { THREADS = 300, BLOCKS = 40000 };

static void *nothing(void *unused)
{
    return unused;
}

static _Noreturn void work(void)
{
    static void *held[BLOCKS];
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < THREADS; i++) {
        /* No stack that is kept fits the next thread: it is freed, by the one that ends. */
        pthread_attr_setstacksize(&attr, (64u << 20) + (size_t)i * 65536);
        CHECK(pthread_create(&thread, &attr, nothing, NULL) == 0, "no thread %d", i);
        nanosleep(&(struct timespec){0, 300000}, NULL);
    }
    for (int i = 0; i < BLOCKS; i++)
        held[i] = malloc(1000);
    for (int i = 0; i < BLOCKS; i++)
        free(held[i]);
    free(malloc(1000));
    pthread_exit(NULL);
}

int main(void)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        work();
    status = wait_bounded(pid, "a process whose last thread has ended");
    CHECK(status == 0, "status 0x%x", (unsigned)status);
    puts("the process ended with its last thread");
}
