/*
 * puppet: does with memory what the lines on its stdin say, and lives on until they end, so that
 * a test decides what happens when, and when it dies. Each line is answered by one: the number of
 * blocks, bytes or mappings that were had.
 *
 *   hold SIZE COUNT       allocates so many blocks, writes to them, keeps them; until NULL
 *   ask SIZE COUNT        allocates so many blocks, writes to none, keeps them
 *   drop                  frees all that are kept, and has idle memory given back
 *   thin N                frees all that are kept but every Nth
 *   churn SIZE COUNT N    N times: so many blocks come and go again
 *   grow_to PERCENT SIZE  holds blocks until the memory cgroup, or else RLIMIT_AS, is so full
 *   limit_as MIB          RLIMIT_AS so far above what is mapped now
 *   map MIB               maps and fills memory of its own, past malloc
 *   maps COUNT            mappings that do not merge, until the kernel refuses one
 *   threads N SIZE COUNT  N threads that free so many blocks, and sleep
 *   lend SIZE COUNT       a thread allocates so many blocks and sleeps; this one frees them
 *   wake                  the thread that lent allocates and frees one block of the size
 *   double_free SIZE, write_after_free SIZE, invalid_free SIZE
 */
#include "puppet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    order_fn *obey;
} orders[] = {
    {"hold", hold},
    {"ask", ask},
    {"drop", drop},
    {"thin", thin},
    {"churn", churn},
    {"grow_to", grow_to},
    {"limit_as", limit_as},
    {"map", map},
    {"maps", maps},
    {"threads", threads},
    {"lend", lend},
    {"wake", wake},
    {"double_free", double_free},
    {"write_after_free", write_after_free},
    {"invalid_free", invalid_free},
};

void give_up(const char *what)
{
    perror(what);
    exit(2);
}

static unsigned long obey(const char *name, unsigned long a, unsigned long b, unsigned long c)
{
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
        if (!strcmp(orders[i].name, name))
            return orders[i].obey(a, b, c);
    give_up(name);
}

/* Neither stdin's buffer nor stdout's may be the allocator's business. */
int main(void)
{
    static char in[4096];
    char line[128], name[32];

    setvbuf(stdin, in, _IOFBF, sizeof(in));
    dprintf(1, "%d\n", (int)getpid());
    while (fgets(line, sizeof(line), stdin)) {
        unsigned long a = 0, b = 0, c = 0;

        if (sscanf(line, "%31s %lu %lu %lu", name, &a, &b, &c) < 1)
            give_up(line);
        dprintf(1, "%lu\n", obey(name, a, b, c));
    }
    return 0;
}
