/*
 * trouble WHAT [COUNT]: waits for a line, has the named trouble, says "done", and lives on until
 * its stdin ends, so that a test decides when what happens.
 *
 *   double_free, write_after_free   one of it
 *   shared_fail COUNT               COUNT requests, of which the caller's soft cap of class 6
 *                                   (512 B) lets only the first go the ordinary way
 *   stranded COUNT                  the same; but all before is freed 0.3 s after the first refusal
 *   out_of_memory                   allocates under RLIMIT_AS until malloc returns NULL
 *   churn                           without a line: slabs come and go until it is killed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SIZE = 512, MANY = 1 << 22, BATCH = 4000, FULL = 300 };
static void *blocks[MANY];

static void double_free(void)
{
    void *volatile block = malloc(SIZE);

    free(block);
    free(block);
}

static void write_after_free(void)
{
    char *volatile block = malloc(SIZE);

    free(block);
    memset(block, 0, 16);
    blocks[0] = malloc(SIZE);
}

static void shared_fail(size_t count)
{
    for (size_t i = 0; i < count; i++)
        blocks[i] = malloc(SIZE);
}

static void stranded(size_t count)
{
    shared_fail(FULL);
    usleep(300000);
    for (size_t i = 0; i < FULL; i++)
        free(blocks[i]);
    shared_fail(count);
}

/* The stack and the libraries stay mapped: what is refused is new memory. */
static void out_of_memory(void)
{
    struct rlimit old, low = {.rlim_cur = 0};
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");

    if (!statm || fscanf(statm, "%ld", &pages) != 1 || getrlimit(RLIMIT_AS, &old))
        exit(2);
    fclose(statm);
    low.rlim_max = old.rlim_max;
    low.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (16u << 20);
    if (setrlimit(RLIMIT_AS, &low))
        exit(2);
    for (size_t i = 0; i < MANY && (blocks[i] = malloc(SIZE)); i++)
        ;
    if (setrlimit(RLIMIT_AS, &old))
        exit(2);
}

_Noreturn static void churn(void)
{
    for (;;) {
        for (int i = 0; i < BATCH; i++)
            blocks[i] = malloc(SIZE);
        for (int i = 0; i < BATCH; i++)
            free(blocks[i]);
    }
}

static void say(const char *text)
{
    if (write(1, text, strlen(text)) < 0)
        exit(2);
}

int main(int argc, char **argv)
{
    char line[16];
    const char *what = argc > 1 ? argv[1] : "";

    say("ready\n");
    if (!strcmp(what, "churn"))
        churn();
    while (read(0, line, sizeof(line)) > 0) {
        if (!strcmp(what, "double_free"))
            double_free();
        else if (!strcmp(what, "write_after_free"))
            write_after_free();
        else if (!strcmp(what, "shared_fail"))
            shared_fail(argc > 2 ? strtoul(argv[2], NULL, 10) : 1000);
        else if (!strcmp(what, "stranded"))
            stranded(strtoul(argv[2], NULL, 10));
        else if (!strcmp(what, "out_of_memory"))
            out_of_memory();
        else
            return 2;
        say("done\n");
    }
    return 0;
}
