/* Threads until the system has no room for another: pthread_create says so, the threads that are
 * there allocate or get NULL, and when they have ended there is room for as many again. */
#include <sys/resource.h>

#include "check.h"

enum { LIMIT_MB = 256, MOST = 4096, BLOCKS = 40 };

static pthread_t ids[MOST];
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic size_t refused;

/* Allocates as it begins, waits, and allocates when the address space is full. */
static void *life(void *number)
{
    unsigned char *mine[2 * BLOCKS];
    uint32_t random = 1 + (uint32_t)(uintptr_t)number;
    uint32_t size[2 * BLOCKS];

    for (int i = 0; i < 2 * BLOCKS; i++) {
        if (i == BLOCKS) {
            pthread_mutex_lock(&gate);
            pthread_mutex_unlock(&gate);
        }
        size[i] = next_random(&random) % (i % 10 ? 500 : 20000);
        errno = 0;
        mine[i] = malloc(size[i]);
        CHECK(mine[i] || errno == ENOMEM, "NULL for %u bytes, errno %d", size[i], errno);
        if (mine[i])
            fill(mine[i], size[i], (unsigned char)size[i]);
        else
            refused++;
    }
    for (int i = 0; i < 2 * BLOCKS; i++) {
        CHECK(!mine[i] || holds(mine[i], size[i], (unsigned char)size[i]), "a changed block");
        free(mine[i]);
    }
    return NULL;
}

static int crowd(void)
{
    int n = 0, e = 0;

    pthread_mutex_lock(&gate);
    while (n < MOST && (e = pthread_create(&ids[n], NULL, life, (void *)(uintptr_t)n)) == 0)
        n++;
    pthread_mutex_unlock(&gate);
    CHECK(e == EAGAIN || e == ENOMEM, "%d threads, then error %d", n, e);
    for (int i = 0; i < n; i++)
        pthread_join(ids[i], NULL);
    return n;
}

int main(void)
{
    struct rlimit space = {(rlim_t)LIMIT_MB << 20, (rlim_t)LIMIT_MB << 20};
    pthread_attr_t plain;
    int first, again;

    CHECK(freopen("/dev/null", "w", stderr), "%s", strerror(errno)); /* it may well complain */
    pthread_attr_init(&plain);
    pthread_attr_setstacksize(&plain, 1 << 20);
    CHECK(pthread_setattr_default_np(&plain) == 0, "no stack size");
    CHECK(setrlimit(RLIMIT_AS, &space) == 0, "%s", strerror(errno));
    first = crowd();
    for (int i = 0; i < 5; i++) {
        again = crowd();
        /* The C library's own malloc keeps tens of MiB of addresses for some of them. */
        CHECK(again >= first / 4, "%d threads where there were %d", again, first);
    }
    CHECK(first > LIMIT_MB / 8, "%d threads", first);
    printf("note: %d threads, then %d; %zu requests refused\n", first, again, (size_t)refused);
    puts("six crowds of threads");
    return 0;
}
