/* The first large request of a process may come from several threads at once. One process has
 * only one first time, so the program runs itself many times. */
#include <spawn.h>

#include "check.h"

enum { THREADS = 8, RUNS = 1200 };

extern char **environ;

static pthread_barrier_t gate;

static void *request(void *arg)
{
    pthread_barrier_wait(&gate);
    unsigned char *p = malloc(6000);
    CHECK(p, "NULL");
    fill(p, 6000, 1);
    free(p);
    return arg;
}

static int first_time(void)
{
    pthread_t ids[THREADS];

    pthread_barrier_init(&gate, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&ids[i], NULL, request, NULL) == 0, "no thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(ids[i], NULL);
    return 0;
}

int main(int argc, char **argv)
{
    char *arguments[] = {argv[0], "once", NULL};

    if (argc > 1)
        return first_time();
    for (int i = 0; i < RUNS; i++) {
        pid_t pid;
        int e = posix_spawn(&pid, argv[0], NULL, NULL, arguments, environ);

        CHECK(e == 0, "posix_spawn: %s", strerror(e));
        int status = wait_bounded(pid, "a first time");
        CHECK(status == 0, "wait status 0x%x in run %d of %d", status, i + 1, RUNS);
    }
    puts("every first time went well");
    return 0;
}
