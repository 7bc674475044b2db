#include "vg_end.h"

#if HAK_VALGRIND
#include <fcntl.h>
#include <stdlib.h>
#include <valgrind/valgrind.h>

#include "kernel.h"
#include "os.h"
#include "vg.h"

static struct {
    uint32_t pid; /* 0: nothing is asked */
    uint32_t code;
    bool leaks_count;
} given;

void vg_end_init(void)
{
    const char *text = RUNNING_ON_VALGRIND ? os_env("HAK_MEMCHECK") : NULL;
    char *rest;

    if (!text)
        return;
    given.pid = (uint32_t)strtoul(text, &rest, 10);
    given.code = (uint32_t)strtoul(rest, &rest, 10);
    given.leaks_count = strtoul(rest, NULL, 10) != 0;
}

/* ---- on the real CPU ----
 *
 * Valgrind keeps the option's value among its own variables, which lie in its program's mappings:
 * next to each other, those that can be written last. There the value is found by what it is, if it
 * is there once. */

struct range {
    uintptr_t from, to;
};

struct maps {
    long fd;
    char text[1024];
    long at, end;
};

static int next_char(struct maps *m)
{
    if (m->at == m->end) {
        m->end = kernel_enter(SYS_read, m->fd, (long)m->text, sizeof(m->text), 0, 0, 0);
        m->at = 0;
        if (m->end <= 0)
            return m->end = 0, -1;
    }
    return m->text[m->at++];
}

/* A number in base 16 and the character behind it. */
static uintptr_t hex(struct maps *m)
{
    uintptr_t n = 0;

    for (int c; (c = next_char(m)) > ' ' && c != '-';)
        n = n << 4 | (uintptr_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    return n;
}

/* The next mapping; false at the end. */
static bool next_map(struct maps *m, struct range *r, bool *writable)
{
    int c;

    r->from = hex(m);
    r->to = hex(m);
    (void)next_char(m);
    *writable = next_char(m) == 'w';
    while ((c = next_char(m)) >= 0 && c != '\n')
        ;
    return r->to != 0;
}

static unsigned find_code(struct range in, uint32_t **place)
{
    unsigned found = 0;

    for (uint32_t *p = (uint32_t *)in.from; p < (uint32_t *)in.to; p++) {
        if (*p == given.code) {
            *place = p;
            found++;
        }
    }
    return found;
}

/* function: one of Valgrind's. */
static uintptr_t take_code_back(uintptr_t thread, uintptr_t function)
{
    struct maps m = {
        .fd = kernel_enter(SYS_openat, AT_FDCWD, (long)"/proc/self/maps", O_RDONLY, 0, 0, 0)};
    struct range r, last = {0, 0};
    uint32_t *place = NULL;
    unsigned found = 0;
    bool writable;

    (void)thread;
    while (m.fd >= 0 && next_map(&m, &r, &writable)) {
        if ((function >= r.from && function < r.to) || (last.to && r.from == last.to)) {
            found += writable ? find_code(r, &place) : 0;
            last = r;
        }
    }
    kernel_enter(SYS_close, m.fd, 0, 0, 0, 0, 0);
    if (found == 1)
        *place = 0;
    return found;
}

/* ---- on Valgrind's ---- */

/* Valgrind calls this in place of the C library's _exit(), with which every end but a deadly signal
 * comes. */
EXPORT void I_REPLACE_SONAME_FNNAME_ZU(libcZdsoZa, _exit)(int status);

EXPORT void I_REPLACE_SONAME_FNNAME_ZU(libcZdsoZa, _exit)(int status)
{
    if (given.pid && given.pid != os_pid() && (given.leaks_count || VALGRIND_COUNT_ERRORS))
        (void)VALGRIND_NON_SIMD_CALL1(take_code_back, vg_malloc_of_valgrind);
    for (;;) {
        /* Not by kernel_enter(), which Valgrind would show where the status is not defined. */
#if defined(__x86_64__)
        __asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(status) : "rcx", "r11", "memory");
#else
        kernel_enter(SYS_exit_group, status, 0, 0, 0, 0, 0);
#endif
    }
}
#endif
