/* Handlers of pthread_atfork may allocate, whether they were registered before or after the
 * allocator's own. */
#include "check.h"

enum { FORKS = 40, THREADS = 2 };

void library_is_there(void);

static _Atomic bool stop;

static void allocate(void)
{
    for (size_t i = 0; i < 300; i++)
        free(malloc(i * 17));
}

static void *allocate_busily(void *arg)
{
    void *slots[200] = {0};

    for (size_t i = 0; !stop; i++) {
        free(slots[i % 200]);
        slots[i % 200] = malloc(i * 31 % 6000);
    }
    for (size_t i = 0; i < 200; i++)
        free(slots[i]);
    return arg;
}

/* fork itself may hang: a watchdog, not an endless test. */
static void watchdog(int number)
{
    static const char text[] = "fork hangs in a handler that allocates\n";

    (void)number;
    if (write(1, text, sizeof text - 1))
        _exit(1);
    _exit(1);
}

int main(void)
{
    pthread_t ids[THREADS];

    library_is_there();
    signal(SIGALRM, watchdog);
    CHECK(pthread_atfork(allocate, allocate, allocate) == 0, "no handlers");
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&ids[i], NULL, allocate_busily, NULL) == 0, "no thread");
    for (int i = 0; i < FORKS; i++) {
        alarm(HANG);
        pid_t pid = fork();
        CHECK(pid >= 0, "fork: %s", strerror(errno));
        if (pid == 0) {
            allocate();
            _exit(0);
        }
        alarm(0);
        int status = wait_bounded(pid, "a child whose handlers allocate");
        CHECK(status == 0, "wait status 0x%x", status);
    }
    stop = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(ids[i], NULL);
    puts("handlers allocated around 40 forks");
    return 0;
}
