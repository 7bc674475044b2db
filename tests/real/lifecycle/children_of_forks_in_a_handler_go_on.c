/* A program of one thread forks in a signal handler, by fork(), _Fork() and the system call,
 * wherever the signal found it; the child returns from the handler, ends what was interrupted, and
 * goes on allocating. */
#include <sys/syscall.h>
#include <sys/time.h>

#include "check.h"

enum { FORKS = 120, BLOCKS = 512, CHANGES = 300 };

static volatile sig_atomic_t forks, is_child;
static char *held[BLOCKS];
static size_t size_of_held[BLOCKS];

/* The next one, when the program has come a little further. */
static void arm(void)
{
    struct itimerval once = {{0, 0}, {0, 500}};

    setitimer(ITIMER_REAL, &once, NULL);
}

static pid_t fork_somehow(int n)
{
    switch (n % 3) {
    case 0: return fork();
    case 1: return _Fork();
    default: return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    }
}

/* Without stdio, in a handler. */
static void fail(const char *what)
{
    if (write(1, what, strlen(what)) < 0)
        _exit(2);
    _exit(1);
}

static void on_alarm(int sig)
{
    int saved = errno, status = 0;
    pid_t pid = fork_somehow(forks);

    (void)sig;
    if (pid == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(30);
        is_child = 1;
        return;
    }
    if (pid > 0 && (waitpid(pid, &status, 0) != pid || status != 0))
        fail(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "a child hangs\n"
                                                                : "a child fails\n");
    if (++forks < FORKS)
        arm();
    errno = saved;
}

static void change(uint32_t *random)
{
    unsigned i = next_random(random) % BLOCKS;
    /* Of all layers, the large ones seldom. */
    unsigned most = next_random(random) % 64 ? 70000 : 3000000;

    if (held[i]) {
        CHECK(holds(held[i], 16, (unsigned char)i), "another's bytes");
        free(held[i]);
    }
    size_of_held[i] = 32 + next_random(random) % most;
    held[i] = malloc(size_of_held[i]);
    CHECK(held[i] != NULL, "no memory");
    fill(held[i], 16, (unsigned char)i);
    held[i][size_of_held[i] - 1] = 1;
}

int main(void)
{
    uint32_t random = 17;

    signal(SIGALRM, on_alarm);
    arm();
    while (forks < FORKS && !is_child)
        change(&random);
    if (is_child) {
        for (int i = 0; i < CHANGES; i++)
            change(&random);
        _exit(0);
    }
    puts("all children came to their end");
    return 0;
}
