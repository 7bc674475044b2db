/*
 * What the attacks share. A program is one attack: main() is what the attacked program does, what
 * the attacker can do in it stands at its top. It ends with WON if the attacker got what he wanted,
 * with HELD if not. A signal is HELD too: the program is gone, and nothing is the attacker's.
 *
 * The attacker knows addresses, but no secret of the allocator's. Where he may guess how a word is
 * encoded, each guess is made in a child, as against a server that is started again.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELD 0
#define WON 10

typedef uintptr_t word;

/* Where the attacker wants a block to be: the program's, and no memory of the allocator's. */
static word target[512] __attribute__((aligned(4096), unused));

static void won(const char *how)
{
    dprintf(STDOUT_FILENO, "%s\n", how);
    _exit(WON);
}

/* ---- blocks that the program has ---- */

#define MOST 8192

static __attribute__((unused)) struct {
    char *p;
    size_t size;
} held[MOST];

static __attribute__((unused)) unsigned held_count;

static __attribute__((unused)) bool overlap(const void *a, size_t a_size, const void *b,
                                            size_t b_size)
{
    return a && b && (word)a < (word)b + b_size && (word)b < (word)a + a_size;
}

/* p of size bytes is a block now: not where the attacker wants it, nor where another is? */
static __attribute__((unused)) void *hold(void *p, size_t size)
{
    if (overlap(p, size, target, sizeof(target)))
        won("malloc returned the attacker's address");
    for (unsigned i = 0; i < held_count; i++)
        if (overlap(p, size, held[i].p, held[i].size))
            won("two blocks in use overlap");
    if (held_count < MOST && p) {
        held[held_count].p = p;
        held[held_count++].size = size;
    }
    return p;
}

/* It is no longer in use. */
static __attribute__((unused)) void forget(const void *p)
{
    for (unsigned i = 0; i < held_count; i++)
        if (held[i].p == p) {
            held[i] = held[--held_count];
            return;
        }
}

static __attribute__((unused)) void drop(void *p)
{
    forget(p);
    free(p);
}

/* The program goes on: so many requests. */
static __attribute__((unused)) void go_on(size_t size, unsigned n)
{
    while (n--)
        if (hold(malloc(size), size) == NULL)
            return;
}

static __attribute__((unused)) void expect_untouched(void)
{
    for (unsigned i = 0; i < sizeof(target) / sizeof(target[0]); i++)
        if (target[i] != 0)
            won("the attacker's address was written to");
}

/* ---- guesses ---- */

/* Does guess(arg) in a child; its victory is ours. */
static __attribute__((unused)) void try_out(void (*guess)(word), word arg)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(10);
        guess(arg);
        _exit(HELD);
    }
    if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
        WEXITSTATUS(status) == WON)
        _exit(WON);
}

/* How a link to `to` in the block at `at` may have to look, for all that is public. */
enum { PLAIN, SHIFTED, ENCODINGS };

static __attribute__((unused)) word encode(unsigned how, const void *at, const void *to)
{
    return how == SHIFTED ? (word)at >> 12 ^ (word)to : (word)to;
}

static __attribute__((unused)) void quietly(void)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
}

/* Lets a thread do it, to its end. */
static __attribute__((unused)) void in_a_thread(void *(*what)(void *), void *arg)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, what, arg) == 0)
        pthread_join(thread, NULL);
}

/* Constructors run before main(). */
static __attribute__((constructor, unused)) void attack_begin(void)
{
    quietly();
}

#endif
