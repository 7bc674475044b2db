/* A program that frees nine tenths of 1 GiB in the order of allocation and then sleeps has the
 * pages back at the system when the allocator's helper thread has looked around a dozen times,
 * which is two seconds where it finds a processor: from small blocks, from large ones, and from
 * blocks of threads that have ended. */
#include <dirent.h>

#include "check.h"

enum { MOST = 1 << 20, LOOKS = 14, SLEEP_MS = 50, SLEEPS = HANG * 1000 / SLEEP_MS, THREADS = 4 };
static const size_t GIB = (size_t)1 << 30;

static struct {
    unsigned char *p;
    uint32_t size;
} block[MOST];
static size_t blocks;

static size_t small(uint32_t *random)
{
    return 16 + next_random(random) % 2033;
}

static size_t large(uint32_t *random)
{
    return 2049 + next_random(random) % (4096u << next_random(random) % 11);
}

static size_t any(uint32_t *random)
{
    return next_random(random) % 8 ? small(random) : large(random);
}

/* Allocates and touches `bytes`; the blocks' numbers are handed out in order. */
static void allocate(size_t bytes, size_t (*size_of)(uint32_t *), uint32_t random)
{
    for (size_t sum = 0; sum < bytes;) {
        size_t size = size_of(&random), n = __atomic_fetch_add(&blocks, 1, __ATOMIC_RELAXED);

        CHECK(n < MOST, "%zu blocks", n);
        block[n].p = malloc(size);
        CHECK(block[n].p, "NULL for %zu bytes", size);
        block[n].size = (uint32_t)size;
        fill(block[n].p, size, (unsigned char)n);
        sum += size;
    }
}

static void *allocate_a_share(void *number)
{
    allocate(GIB / THREADS, any, 7 + (uint32_t)(uintptr_t)number);
    return NULL;
}

static void release(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        CHECK(holds(block[i].p, block[i].size, (unsigned char)i), "block %zu changed", i);
        free(block[i].p);
    }
}

/* The first number in /proc/self/task/TASK/FILE behind `key`; -1: not so. */
static long told_of(const char *task, const char *file, const char *key)
{
    char name[300], text[4096] = "";
    const char *at;
    int fd;

    snprintf(name, sizeof name, "/proc/self/task/%s/%s", task, file);
    fd = open(name, O_RDONLY);
    if (fd < 0)
        return -1;
    if (read(fd, text, sizeof text - 1) < 0)
        text[0] = '\0';
    close(fd);
    at = strstr(text, key);
    return at ? atol(at + strlen(key)) : -1;
}

/* How often the helper thread has gone to sleep; 0: there is none. */
static long looks(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    long n = 0;

    CHECK(tasks, "%s", strerror(errno));
    while ((task = readdir(tasks)))
        if (told_of(task->d_name, "comm", "hakmem-tick") == 0)
            n = told_of(task->d_name, "status", "\nvoluntary_ctxt_switches:");
    closedir(tasks);
    return n;
}

/* Frees nine tenths, sleeps, and looks how long the pages stay. */
static void give_back(const char *what, long before)
{
    long peak = resident_kb() - before, now = peak, enough;
    int slept = 0, most = with_hakmem() ? SLEEPS : LOOKS;

    release(0, blocks / 10 * 9);
    enough = looks() + LOOKS;
    for (; slept < most && now > peak / 5 && looks() < enough; slept++) {
        nanosleep(&(struct timespec){0, SLEEP_MS * 1000000L}, NULL);
        now = resident_kb() - before;
    }
    printf("note: %s: %ld MiB, then %ld MiB after %d ms\n", what, peak >> 10, now >> 10,
           slept * SLEEP_MS);
    if (with_hakmem())
        CHECK(now <= peak / 5, "%ld KiB of %ld when the helper has looked %d times", now, peak,
              LOOKS);
    release(blocks / 10 * 9, blocks);
    blocks = 0;
}

int main(void)
{
    pthread_t id[THREADS];
    long before;

    fill(block, sizeof block, 0);
    before = resident_kb();
    allocate(GIB, small, 1);
    give_back("small blocks", before);
    allocate(GIB, large, 2);
    give_back("large blocks", before);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&id[i], NULL, allocate_a_share, (void *)i) == 0, "no thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(id[i], NULL);
    give_back("blocks of ended threads", before);
    puts("three times 1 GiB came and went");
    return 0;
}
