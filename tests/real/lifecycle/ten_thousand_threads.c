/* 10,000 short threads, at most 50 at a time, pass blocks to each other: what a thread leaves
 * behind is used again, so memory stays bounded. */
#include "check.h"

enum { THREADS = 10000, AT_ONCE = 50, SHELF = 512, BLOCKS = 64, ALLOWED_KB = 65536 };

static unsigned char *shelf[SHELF];

static void *life(void *arg)
{
    uint32_t random = (uint32_t)(uintptr_t)arg * 2654435761u | 1u;

    for (int i = 0; i < BLOCKS; i++) {
        uint32_t size = 16 + next_random(&random) % 2000;
        unsigned char *mine = malloc(size);

        CHECK(mine, "NULL for %u bytes", size);
        fill(mine, size, (unsigned char)size);
        memcpy(mine, &size, sizeof size);
        unsigned char *theirs =
            __atomic_exchange_n(&shelf[next_random(&random) % SHELF], mine, __ATOMIC_ACQ_REL);
        if (theirs) {
            memcpy(&size, theirs, sizeof size);
            CHECK(holds(theirs + 4, size - 4, (unsigned char)size), "a changed block");
            free(theirs);
        }
    }
    return NULL;
}

int main(void)
{
    pthread_t ids[AT_ONCE];
    pthread_attr_t small;
    long warm = 0;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 * 1024);
    for (int i = 0; i < THREADS + AT_ONCE; i++) {
        if (i >= AT_ONCE)
            pthread_join(ids[i % AT_ONCE], NULL);
        if (i < THREADS) {
            int e = pthread_create(&ids[i % AT_ONCE], &small, life, (void *)(uintptr_t)(i + 1));
            CHECK(e == 0, "%s at thread %d", strerror(e), i);
        }
        if (i == THREADS / 10)
            warm = resident_kb();
    }
    for (int i = 0; i < SHELF; i++)
        free(shelf[i]);
    long now = resident_kb();
    printf("note: RSS %ld KiB after 1,000 threads, %ld KiB after 10,000\n", warm, now);
    CHECK(now < ALLOWED_KB && now < 2 * warm + 8192, "RSS %ld KiB, %ld after 1,000", now, warm);
    puts("10,000 threads came and went");
    return 0;
}
