/* fork works while other threads are inside the allocator; the child allocates, frees blocks of
 * its parent and ends, by exit and by _exit alternately. */
#include "check.h"

enum { THREADS = 4, FORKS = 100, BLOCKS = 200, SLOTS = 256 };

static _Atomic bool stop;

static void *allocate_busily(void *arg)
{
    uint32_t random = (uint32_t)(uintptr_t)arg;
    void *slots[SLOTS] = {0};

    while (!stop) {
        void **slot = &slots[next_random(&random) % SLOTS];
        free(*slot);
        *slot = malloc(next_random(&random) % 40000 >> next_random(&random) % 12);
    }
    for (int i = 0; i < SLOTS; i++)
        free(slots[i]);
    return NULL;
}

static void *allocate_in_child(void *blocks)
{
    free(((void **)blocks)[0]);
    for (int i = 0; i < 1000; i++)
        free(malloc((size_t)i * 5));
    return NULL;
}

static void child(unsigned char **blocks, int turn)
{
    pthread_t id;

    for (int i = 1; i < BLOCKS; i++) {
        if (!holds(blocks[i], (size_t)i * 11, 0x44))
            _exit(1);
        if (i % 2)
            free(blocks[i]);
        else if (!(blocks[i] = realloc(blocks[i], (size_t)i * 23)))
            _exit(2);
    }
    if (pthread_create(&id, NULL, allocate_in_child, blocks) || pthread_join(id, NULL))
        _exit(3);
    if (turn % 2)
        _exit(0);
    exit(0);
}

int main(void)
{
    pthread_t ids[THREADS];
    unsigned char *blocks[BLOCKS];

    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc((size_t)i * 11);
        CHECK(blocks[i], "NULL for %d bytes", i * 11);
        fill(blocks[i], (size_t)i * 11, 0x44);
    }
    for (int i = 0; i < THREADS; i++) {
        int e = pthread_create(&ids[i], NULL, allocate_busily, (void *)(uintptr_t)(i + 1));
        CHECK(e == 0, "%s", strerror(e));
    }
    for (int i = 0; i < FORKS; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0, "fork: %s", strerror(errno));
        if (pid == 0)
            child(blocks, i);
        int status = wait_bounded(pid, "a child of fork");
        CHECK(status == 0, "child %d ended with wait status 0x%x", i, status);
    }
    stop = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(ids[i], NULL);
    for (int i = 0; i < BLOCKS; i++) {
        CHECK(holds(blocks[i], (size_t)i * 11, 0x44), "the parent's block %d changed", i);
        free(blocks[i]);
    }
    puts("100 children, all well");
    return 0;
}
