/* pthread_join frees the storage of ended threads under the lock of the thread library's stacks,
 * which pthread_create takes: whatever such a free comes upon, it returns. Which of the frees
 * takes the long way depends on how many blocks of that size were freed before, so many processes
 * try, each with one more. */
#include "check.h"

enum { TRIES = 130, BIG = 4000, SMALL = 1000, STORAGE = 300 };

static void *nothing(void *unused)
{
    return unused;
}

static void try(int more)
{
    static void *big[BIG], *small[SMALL];
    pthread_attr_t attr;
    pthread_t thread;

    for (int i = 0; i < BIG; i++)
        big[i] = malloc(2048);
    /* More than the thread library keeps of ended threads' stacks. */
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 << 20);
    CHECK(pthread_create(&thread, &attr, nothing, NULL) == 0, "no thread");
    for (int i = 0; i < SMALL; i++)
        small[i] = malloc(STORAGE);
    for (int i = 0; i < BIG; i++)
        free(big[i]);
    for (int i = 0; i < SMALL / 2 + more; i++)
        free(small[i]);
    nanosleep(&(struct timespec){1, 0}, NULL);
    pthread_join(thread, NULL);
}

static int wait_until(pid_t pid, time_t end)
{
    int status;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (time(NULL) > end)
            return -1;
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    return status;
}

int main(int argc, char **argv)
{
    static pid_t pid[TRIES];
    int hung = 0;
    time_t end;

    if (argc > 1) {
        try(atoi(argv[1]));
        return 0;
    }
    /* The setting-up takes less than this many milliseconds, and the sleep more. */
    setenv("HAKMEM_TICK", "900", 1);
    for (int i = 0; i < TRIES; i++) {
        char number[16];

        snprintf(number, sizeof number, "%d", i);
        pid[i] = fork();
        if (pid[i] == 0)
            _exit(execl("/proc/self/exe", argv[0], number, (char *)NULL));
    }
    end = time(NULL) + HANG;
    for (int i = 0; i < TRIES; i++) {
        int status = wait_until(pid[i], end);

        if (status < 0) {
            hung++;
            kill(pid[i], SIGKILL);
            waitpid(pid[i], &status, 0);
        } else {
            CHECK(status == 0, "status 0x%x of try %d", (unsigned)status, i);
        }
    }
    CHECK(hung == 0, "%d of %d hung", hung, TRIES);
    puts("every join returned");
}
