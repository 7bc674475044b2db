#include "foreign.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"
#include "thread.h"

struct foreign_heap foreign_heap[FOREIGN_REGIONS];

/* ---- what the kernel says ---- */

/* A line of /proc/self/maps. */
struct mapping {
    uintptr_t from, to;
    bool readable;
    bool stack; /* the main thread's */
    bool brk;   /* the heap that grows from the end of the program's data */
};

struct maps {
    int fd;
    size_t len, at;
    char text[2048];
};

static int next_char(struct maps *m)
{
    if (m->at == m->len) {
        long n = os_read(m->fd, m->text, sizeof(m->text));

        if (n <= 0)
            return -1;
        m->len = (size_t)n;
        m->at = 0;
    }
    return (unsigned char)m->text[m->at++];
}

/* "from-to perm offset device inode   name": what matters is in the first 128 characters. */
static bool next_mapping(struct maps *m, struct mapping *out)
{
    char line[128];
    size_t len = 0;
    char *rest;
    int c;

    while ((c = next_char(m)) >= 0 && c != '\n')
        if (len < sizeof(line) - 1)
            line[len++] = (char)c;
    line[len] = '\0';
    if (!len)
        return false;
    out->from = strtoul(line, &rest, 16);
    if (*rest != '-')
        return false;
    out->to = strtoul(rest + 1, &rest, 16);
    out->readable = rest[0] == ' ' && rest[1] == 'r';
    out->stack = strstr(rest, " [stack]") != NULL;
    out->brk = strstr(rest, " [heap]") != NULL;
    return true;
}

/* Is `at`, in mapping m, in the stack of a thread that lives? Those have a guard below them that
 * nobody can read, which ends the mapping there, and the thread's descriptor above. */
static bool is_on_a_thread_s_stack(uintptr_t at, const struct mapping *m, bool guarded)
{
    return guarded && thread_descriptor_in(at, m->to);
}

static void learn(uintptr_t at, const struct mapping *m, const struct mapping *above)
{
    uintptr_t region = at >> FOREIGN_REGION_LG << FOREIGN_REGION_LG,
              end = region + (1ul << FOREIGN_REGION_LG);
    uintptr_t from = m->from > region ? m->from : region;
    uintptr_t to = m->to;

    /* Where the heap will grow. */
    if (above && above->from == to && !above->readable)
        to = above->to;
    if (m->brk || to > end)
        to = end;
    atomic_store_explicit(&foreign_heap_of(at)->from, from, memory_order_relaxed);
    atomic_store_explicit(&foreign_heap_of(at)->to, to, memory_order_relaxed);
}

/* The verdict on `at` in mapping now, with its neighbours, NULL where there is none. */
static bool judge(uintptr_t at, const struct mapping *below, const struct mapping *now,
                  const struct mapping *above, enum hak_invalid_why *why)
{
    bool guarded = below && below->to == now->from && !below->readable;

    if (!now->readable) {
        *why = HAK_NOT_MAPPED;
        return false;
    }
    if (now->stack || is_on_a_thread_s_stack(at, now, guarded)) {
        *why = HAK_ON_A_STACK;
        return false;
    }
    learn(at, now, above);
    return true;
}

static bool look(uintptr_t at, enum hak_invalid_why *why)
{
    struct mapping below, now = {0}, above;
    struct maps maps;
    bool any = false, block;

    maps.fd = os_open("/proc/self/maps");
    maps.len = maps.at = 0;
    /* A sandbox without /proc: we cannot tell. */
    if (maps.fd < 0)
        return true;
    do {
        below = now;
        if (!next_mapping(&maps, &now)) {
            now.from = UINTPTR_MAX;
            break;
        }
        any = true;
    } while (now.to <= at);
    if (now.from <= at) {
        bool more = next_mapping(&maps, &above);

        block = judge(at, below.to ? &below : NULL, &now, more ? &above : NULL, why);
    } else {
        *why = HAK_NOT_MAPPED;
        block = !any;
    }
    os_close(maps.fd);
    return block;
}

/* The program, its libraries and their variables. Neither locks nor allocates. */
static bool is_in_an_object(const void *p)
{
    struct dl_find_object object;

    return _dl_find_object((void *)(uintptr_t)p, &object) == 0;
}

NOINLINE bool foreign_look(const void *p, enum hak_invalid_why *why)
{
    if (is_in_an_object(p)) {
        *why = HAK_IN_A_PROGRAM_S_DATA;
        return false;
    }
    return look((uintptr_t)p, why);
}
