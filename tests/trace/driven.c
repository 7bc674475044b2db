/* Goes through all of the allocator's paths, for a witness who is preloaded: sizes of every layer,
 * misuse, refusals, threads, forks, the helper's ticks, the search for a session daemon. */
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HELD 6000

static void *held[HELD];

static void churn(unsigned seed)
{
    static const size_t sizes[] = {0,    7,    24,   100,   333,    1000,
                                   2048, 3000, 9000, 33000, 200000, 2000000};

    for (unsigned i = 0; i < HELD; i++) {
        size_t size = sizes[(i * 7 + seed) % (i % 50 ? 9 : 12)];

        free(held[i]);
        held[i] = i % 5 == 0   ? calloc(1, size)
                  : i % 5 == 1 ? aligned_alloc(64, size)
                  : i % 5 == 2 ? realloc(malloc(size), size * 2 + 1)
                               : malloc(size);
        if (malloc_usable_size(held[i]) < size)
            abort();
    }
}

static void let_go(void)
{
    for (unsigned i = 0; i < HELD; i++) {
        free(held[i]);
        held[i] = NULL;
    }
}

static void *in_a_thread(void *p)
{
    free(p);
    for (size_t size = 1; size < 4000000; size *= 2)
        free(malloc(size));
    return malloc(500);
}

static void threads(void)
{
    for (int i = 0; i < 20; i++) {
        pthread_t thread[4];
        void *left;

        for (int t = 0; t < 4; t++)
            pthread_create(&thread[t], NULL, in_a_thread, malloc(100));
        for (int t = 0; t < 4; t++) {
            pthread_join(thread[t], &left);
            free(left);
        }
    }
}

static void misuse(void)
{
    static char no_block[64];
    char *volatile p = malloc(100), *volatile q = malloc(5000);

    free(p);
    free(p);
    free(q);
    free(q);
    q = malloc(100);
    free(q + 8);
    free(no_block);
    free(&p);
    free((void *)0x123456789000);
    free(q);
    memset(q, 'A', 16);
    for (int i = 0; i < 300; i++)
        held[i] = malloc(100);
}

static void refusals(void)
{
    struct rlimit before, tight;

    free(malloc((size_t)1 << 46));
    free(malloc(SIZE_MAX));
    free(calloc(SIZE_MAX, 8));
    free(memalign((size_t)1 << 40, 100));
    getrlimit(RLIMIT_AS, &before);
    tight = before;
    tight.rlim_cur = (rlim_t)1 << 20;
    setrlimit(RLIMIT_AS, &tight);
    for (unsigned i = 0; i < HELD; i++)
        held[i] = realloc(held[i], 100000);
    setrlimit(RLIMIT_AS, &before);
}

static void forks(void)
{
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        int status;

        if (child == 0) {
            churn(1);
            let_go();
            _exit(0);
        }
        waitpid(child, &status, 0);
        if (status)
            abort();
    }
}

static void asked(void)
{
    FILE *nowhere = fopen("/dev/null", "w");

    malloc_info(0, nowhere);
    fclose(nowhere);
    malloc_trim(0);
    dlclose(dlopen("libm.so.6", RTLD_NOW | RTLD_DEEPBIND));
    close(open("/dev/null", O_RDONLY));
    closefrom(1000);
    if (seteuid(geteuid()) != 0 || setregid((gid_t)-1, (gid_t)-1) != 0)
        abort();
}

/* With an argument, for a malloc that ends a program which misuses it: all but that. */
int main(int argc, char **argv)
{
    unsigned long (*begin)(void);

    (void)argv;
    *(void **)&begin = dlsym(RTLD_DEFAULT, "witness_begin");
    (void)begin();
    /* Ticks pass meanwhile, and the daemon is looked for. */
    for (unsigned i = 0; i < 60; i++) {
        churn(i);
        if (i % 3 == 0)
            let_go();
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
    threads();
    forks();
    if (argc == 1)
        misuse();
    refusals();
    asked();
    printf("driven, %s\n", begin() > 1000 ? "watched" : "not watched");
    return 0;
}
