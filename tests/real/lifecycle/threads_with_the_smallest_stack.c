/* The allocator is content with the smallest stack a thread may have. */
#include <limits.h>
#include <sys/mman.h>

#include "check.h"

enum { THREADS = 30 };

static void *life(void *arg)
{
    void *held[64] = {0};

    for (size_t i = 0; i < 20000; i++) {
        free(held[i % 64]);
        held[i % 64] = i % 7 ? malloc(i % 3000) : calloc(1, i % 50000);
        if (!held[i % 64])
            _exit(2);
    }
    for (size_t i = 0; i < 64; i++)
        free(held[i]);
    return arg;
}

int main(void)
{
    size_t size = (size_t)sysconf(_SC_THREAD_STACK_MIN) + 8192;
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    CHECK(pthread_attr_setstacksize(&attr, size) == 0, "%zu bytes refused", size);
    for (int i = 0; i < THREADS; i++) {
        pthread_t id;
        int e = pthread_create(&id, &attr, life, NULL);
        CHECK(e == 0, "%s", strerror(e));
        pthread_join(id, NULL);
    }
    puts("small stacks sufficed");
    return 0;
}
