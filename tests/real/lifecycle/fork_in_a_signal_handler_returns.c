/* A program of one thread may fork in a signal handler wherever the signal found it, as it may with
 * the C library's malloc: crash handlers and shells do. */
#include <sys/time.h>

#include "check.h"

enum { FORKS = 500, BLOCKS = 3000 };

static volatile sig_atomic_t forks;

static void on_alarm(int sig)
{
    int saved = errno, status = 1;
    pid_t pid = fork();

    (void)sig;
    if (pid == 0)
        _exit(0);
    if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
        forks++;
    errno = saved;
}

static void churn(void)
{
    static void *held[BLOCKS];
    struct itimerval every = {{0, 2000}, {0, 2000}};

    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &every, NULL);
    while (forks < FORKS) {
        for (int i = 0; i < BLOCKS; i++)
            held[i] = malloc(200 + (size_t)(i % 8) * 200);
        for (int i = 0; i < BLOCKS; i++)
            free(held[i]);
    }
}

int main(int argc, char **argv)
{
    int status;
    pid_t pid;

    if (argc > 1) {
        churn();
        return 0;
    }
    /* Many requests come to the backend that has a lock. */
    setenv("HAKMEM_TINY_CAP", "6:1,7:1,12:1,13:1,14:1,15:1", 1);
    pid = fork();
    if (pid == 0) {
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        _exit(execl("/proc/self/exe", argv[0], "churn", (char *)NULL));
    }
    status = wait_bounded(pid, "a program that forks in a signal handler");
    CHECK(status == 0, "status 0x%x", (unsigned)status);
    puts("every fork returned");
}
