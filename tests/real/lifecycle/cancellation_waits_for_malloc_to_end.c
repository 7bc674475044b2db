/* malloc and free are no cancellation points: a thread that is to be cancelled goes on through
 * them, even when the allocator has something to say on stderr. */
#include "check.h"

enum { THREADS = 40, ROUNDS = 4000 };

static _Atomic int survived, started;

static void *allocate_while_cancelled(void *arg)
{
    static const size_t sizes[] = {5, 16, 100, 600, 1500, 2048};
    void *held[300] = {0};
    int old;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    pthread_cancel(pthread_self());
    started++;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
    for (size_t i = 0; i < ROUNDS; i++) {
        free(held[i % 300]);
        held[i % 300] = malloc(sizes[i % 6]);
    }
    for (size_t i = 0; i < 300; i++)
        free(held[i]);
    survived++;
    pthread_testcancel();
    return arg;
}

int main(int argc, char **argv)
{
    pthread_t id;
    void *result;

    (void)argc;
    if (!getenv("HAKMEM_SS_ACQUIRE_DEBUG")) {
        setenv("HAKMEM_SS_ACQUIRE_DEBUG", "1", 1);
        CHECK(freopen("/dev/null", "w", stderr), "%s", strerror(errno));
        execv(argv[0], argv);
        CHECK(false, "exec: %s", strerror(errno));
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&id, NULL, allocate_while_cancelled, NULL) == 0, "no thread");
        pthread_join(id, &result);
        CHECK(result == PTHREAD_CANCELED, "thread %d was not cancelled at all", i);
    }
    CHECK(survived == THREADS, "%d of %d threads came through", survived, THREADS);
    puts("cancelled where they asked for it");
    return 0;
}
