/* misuse CASE: misuses the heap in one way, then checks that the heap is sound and says so. */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCKS 20000

/* Volatile: the compiler would warn of what follows, or take it as its licence. */
static void *volatile p, *volatile q;
static char global[64];

static void twice(void)
{
    p = malloc(200);
    free(p);
    free(p);
}

static void twice_smallest(void)
{
    p = malloc(8);
    free(p);
    free(p);
}

static void twice_delayed(void)
{
    void *other[500];

    p = malloc(200);
    for (int i = 0; i < 500; i++)
        other[i] = malloc(200);
    free(p);
    for (int i = 0; i < 500; i++)
        free(other[i]);
    free(p);
}

static void *free_it(void *block)
{
    free(block);
    return NULL;
}

static void twice_by_two_threads(void)
{
    pthread_t thread;

    p = malloc(200);
    pthread_create(&thread, NULL, free_it, p);
    pthread_join(thread, NULL);
    free(p);
}

static void twice_written_to_in_between(void)
{
    p = malloc(200);
    free(p);
    memset(p, 0, 200);
    free(p);
}

static void realloc_after_free(void)
{
    p = malloc(200);
    free(p);
    if (realloc(p, 1000))
        puts("realloc gave something");
}

static void interior(void)
{
    p = malloc(200);
    free((char *)p + 16);
    free(p);
}

static void stack(void)
{
    char local[64];

    p = local;
    free(p);
}

static pthread_barrier_t barrier;

static void *show_stack(void *unused)
{
    char local[64];

    (void)unused;
    free(malloc(10));
    p = local;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void stack_of_a_thread(void)
{
    pthread_t thread;

    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, show_stack, NULL);
    pthread_barrier_wait(&barrier);
    free(p);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
}

static void variable(void)
{
    p = global;
    free(p);
}

static void literal(void)
{
    p = (void *)(size_t) "text";
    free(p);
}

static void unmapped(void)
{
    p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(p, 4096);
    free(p);
}

static void write_after_free(void)
{
    char *bytes;

    p = malloc(200);
    q = malloc(200);
    free(p);
    bytes = p;
    bytes[9] ^= 0x40;
    p = malloc(200);
}

/* Three blocks in a row, of which the middle one is free. */
static void overflow(void)
{
    void *row[3];

    for (int i = 0; i < 3; i++)
        row[i] = malloc(512);
    if ((char *)row[1] != (char *)row[0] + 512)
        puts("not in a row");
    free(row[1]);
    p = row[0];
    memset(p, 'x', 513);
    p = malloc(512);
}

/* Blocks of the system's malloc, which no call of ours has seen. */
static void anothers(void)
{
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    void *(*get)(size_t);

    *(void **)&get = dlsym(libc, "malloc");
    for (int i = 0; i < 2000; i++) {
        size_t size = (size_t)i * (i % 10 ? 10 : 500);

        p = get(size);
        memset(p, 1, size);
        if (malloc_usable_size(p) < size)
            puts("usable size");
        if (i % 3 == 0)
            p = realloc(p, size + 3000);
        free(p);
    }
}

/* Every block is different, and keeps what is written to it. */
static bool is_sound(void)
{
    static unsigned char *block[BLOCKS];
    static size_t size[BLOCKS];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            size[i] = (size_t)(i * 37 + round) % 2049;
            block[i] = malloc(size[i]);
            if (!block[i])
                return false;
            memset(block[i], i & 0xff, size[i]);
        }
        for (int i = 0; i < BLOCKS; i++) {
            for (size_t b = 0; b < size[i]; b++)
                if (block[i][b] != (i & 0xff))
                    return false;
            free(block[i]);
        }
    }
    return true;
}

#define CASE(name)  \
    {               \
#name, name \
    }

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {
        CASE(twice),
        CASE(twice_smallest),
        CASE(twice_delayed),
        CASE(twice_by_two_threads),
        CASE(twice_written_to_in_between),
        CASE(realloc_after_free),
        CASE(interior),
        CASE(stack),
        CASE(stack_of_a_thread),
        CASE(variable),
        CASE(literal),
        CASE(unmapped),
        CASE(write_after_free),
        CASE(overflow),
        CASE(anothers),
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (argc != 2 || strcmp(argv[1], cases[i].name) != 0)
            continue;
        cases[i].run();
        puts(is_sound() ? "went on" : "corrupted");
        return 0;
    }
    fprintf(stderr, "usage: misuse CASE\n");
    return 2;
}
