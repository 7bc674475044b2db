/*
 * fork_storm [-t threads] [-f forks] [-s seed]
 *
 * Threads allocate and free and pass blocks to each other while others start processes, at random
 * moments. Each forked child frees some of the parent's blocks, allocates (also from slabs of
 * threads that it does not have), starts a thread of its own and a grandchild, and ends; in
 * between, programs are started by vfork, posix_spawn and system. A child that hangs is killed by
 * its alarm and reported.
 */
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

#include "pattern.h"

#define THREADS_MAX 16
#define HOLD 200
#define SHARED 64
#define FORKERS 2
#define CHILD_LIMIT 200
#define SIZE_MAX_LG 22

extern char **environ;

uint64_t stress_seed;
static unsigned threads = 4, forks = 200;
static _Atomic bool stop;
static _Atomic unsigned forked;

/* Blocks of anybody's, behind locks of their own: a child frees those that nobody was changing
 * when it was forked. */
static struct {
    pthread_mutex_t lock;
    struct parcel parcel;
} shared[SHARED];

static void put(struct parcel *a, uint64_t *random)
{
    a->size = random_next(random) % 2049;
    /* One in 64 is a large one; each doubling up to 4 MiB is as likely. */
    if (random_next(random) % 64 == 0)
        a->size = random_next(random) % ((4096u << random_next(random) % (SIZE_MAX_LG - 11)) + 1);
    a->p = stress_malloc(a->size);
    if (!a->p)
        broken("no memory for %zu bytes", a->size);
    pattern_fill(a);
}

static void drop(struct parcel *a)
{
    pattern_check(a, a->p, a->filled);
    stress_free(a->p);
    a->p = NULL;
}

static void churn(uint64_t *random, unsigned rounds)
{
    struct parcel held[HOLD] = {{NULL, 0, 0}};

    for (unsigned i = 0; i < rounds && !(rounds == UINT32_MAX && stop); i++) {
        struct parcel *a = &held[random_next(random) % HOLD];
        unsigned n = (unsigned)(random_next(random) % SHARED);

        if (a->p)
            drop(a);
        else
            put(a, random);
        if (i % 8 == 0 && pthread_mutex_trylock(&shared[n].lock) == 0) {
            if (shared[n].parcel.p)
                drop(&shared[n].parcel);
            put(&shared[n].parcel, random);
            pthread_mutex_unlock(&shared[n].lock);
        }
    }
    for (unsigned i = 0; i < HOLD; i++)
        if (held[i].p)
            drop(&held[i]);
}

static void *churn_until_the_end(void *number)
{
    uint64_t random = stress_seed + (uintptr_t)number;

    churn(&random, UINT32_MAX);
    return NULL;
}

static void *churn_a_little(void *random)
{
    churn(random, 500);
    return NULL;
}

static void wait_for(pid_t pid, const char *who)
{
    int status = 0;

    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        broken("no %s", who);
    if (status)
        broken("a %s ended with status 0x%x%s", who, status,
               WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ": it hung" : "");
}

static _Noreturn void child(unsigned number)
{
    uint64_t random = stress_seed ^ (uint64_t)number << 32;
    pthread_t thread;

    alarm(CHILD_LIMIT);
    stop = false;
    for (unsigned i = 0; i < SHARED; i++)
        if (pthread_mutex_trylock(&shared[i].lock) == 0) {
            if (shared[i].parcel.p)
                drop(&shared[i].parcel);
            pthread_mutex_unlock(&shared[i].lock);
        }
    churn(&random, 3000);
    if (number % 4 == 0) {
        if (pthread_create(&thread, NULL, churn_a_little, &random) != 0)
            broken("no thread in a child");
        pthread_join(thread, NULL);
    }
    if (number % 8 == 0) {
        pid_t pid = fork();

        if (pid == 0) {
            /* Alarms are not inherited. */
            alarm(CHILD_LIMIT / 2);
            churn(&random, 1000);
            _exit(0);
        }
        wait_for(pid, "grandchild");
    }
    _exit(0);
}

/* A function of its own: what lives across vfork must not live in registers. */
__attribute__((noinline)) static pid_t vfork_true(void)
{
    pid_t pid = vfork();

    if (pid == 0) {
        alarm(CHILD_LIMIT);
        execl("/bin/true", "true", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static pid_t spawn_true(void)
{
    char *argv[] = {"true", NULL};
    pid_t pid;

    return posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) ? -1 : pid;
}

/* Mostly forks; each other way to start a process once in 16. */
static void start_process(unsigned number)
{
    pid_t pid;
    int status;

    switch (number % 16) {
    case 5: wait_for(vfork_true(), "child of vfork"); return;
    case 9: wait_for(spawn_true(), "child of posix_spawn"); return;
    case 13:
        if ((status = system("exit 3")) != 3 << 8)
            broken("system: 0x%x, errno %d", status, errno);
        return;
    default:
        if ((pid = fork()) == 0)
            child(number);
        wait_for(pid, "child");
    }
}

static void *start_processes(void *number)
{
    uint64_t random = stress_seed + 77 * (uintptr_t)number;
    unsigned n;

    while ((n = atomic_fetch_add(&forked, 1)) < forks) {
        struct timespec pause = {0, (long)(random_next(&random) % 2000000)};

        nanosleep(&pause, NULL);
        start_process(n);
    }
    return NULL;
}

static void arguments(int argc, char **argv)
{
    const char *seed = getenv("SEED");
    int option;

    while ((option = getopt(argc, argv, "t:f:s:")) != -1) {
        switch (option) {
        case 't': threads = (unsigned)atoi(optarg); break;
        case 'f': forks = (unsigned)atoi(optarg); break;
        case 's': seed = optarg; break;
        default: exit(2);
        }
    }
    if (!threads || threads > THREADS_MAX)
        exit(2);
    stress_seed = seed_of(seed);
}

static void start(pthread_t *thread, void *(*work)(void *), uintptr_t number)
{
    if (pthread_create(thread, NULL, work, (void *)number) != 0)
        broken("no thread");
}

int main(int argc, char **argv)
{
    pthread_t thread[THREADS_MAX], forker[FORKERS];

    arguments(argc, argv);
    for (unsigned i = 0; i < SHARED; i++)
        pthread_mutex_init(&shared[i].lock, NULL);
    for (uintptr_t i = 0; i < threads; i++)
        start(&thread[i], churn_until_the_end, i);
    for (uintptr_t i = 0; i < FORKERS; i++)
        start(&forker[i], start_processes, i);
    for (unsigned i = 0; i < FORKERS; i++)
        pthread_join(forker[i], NULL);
    stop = true;
    for (unsigned i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    printf("seed %lu: %u processes\n", stress_seed, forks);
    return 0;
}
