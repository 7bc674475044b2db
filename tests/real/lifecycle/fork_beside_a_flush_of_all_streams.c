/* One thread allocates while it holds a stream's lock, a second flushes all streams and waits for
 * that one, a third forks. The C library's fork waits for the second, the second for the first: so
 * the first must not wait for anything that the fork holds. */
#include "check.h"

enum { ROUNDS = 10 };

extern _Atomic int last_handlers;

static FILE *stream;
static _Atomic int stage;
static _Atomic pid_t flusher;

static void wait_for_stage(int n)
{
    while (stage < n)
        nanosleep(&(struct timespec){0, 100000}, NULL);
}

/* 'S' where it waits for something. */
static char state_of(pid_t tid)
{
    char path[64], text[256] = "";
    int fd;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0 || !strrchr(text, ')'))
        return '?';
    close(fd);
    return strrchr(text, ')')[2];
}

static void *allocate_in_the_stream(void *unused)
{
    static const size_t size[] = {20, 2000, 20000, 200000, 2000000};
    int handlers = last_handlers;
    void *p[5][64];

    flockfile(stream);
    stage = 1;
    wait_for_stage(2);
    /* The fork comes as far as it can: to its last handler, or to a lock that the flusher has. */
    for (int i = 0; i < 200 && last_handlers == handlers; i++)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    for (int s = 0; s < 5; s++)
        for (int i = 0; i < 64; i++)
            CHECK((p[s][i] = malloc(size[s])) != NULL, "no memory");
    for (int s = 0; s < 5; s++)
        for (int i = 0; i < 64; i++)
            free(p[s][i]);
    funlockfile(stream);
    return unused;
}

static void *flush_all(void *unused)
{
    flusher = gettid();
    fflush(NULL);
    return unused;
}

int main(void)
{
    stream = fopen("/dev/null", "w");
    CHECK(stream != NULL, "no stream");
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t allocates, flushes;

        stage = flusher = 0;
        CHECK(pthread_create(&allocates, NULL, allocate_in_the_stream, NULL) == 0, "no thread");
        wait_for_stage(1);
        CHECK(pthread_create(&flushes, NULL, flush_all, NULL) == 0, "no thread");
        while (!flusher || state_of(flusher) != 'S')
            nanosleep(&(struct timespec){0, 100000}, NULL);
        stage = 2;
        pid_t pid = fork();
        CHECK(pid >= 0, "fork: %s", strerror(errno));
        if (pid == 0) {
            free(malloc(20000));
            fflush(NULL);
            _exit(0);
        }
        int status = wait_bounded(pid, "a child");
        CHECK(status == 0, "wait status 0x%x", status);
        pthread_join(allocates, NULL);
        pthread_join(flushes, NULL);
    }
    printf("%d forks beside a flush\n", ROUNDS);
    return 0;
}
