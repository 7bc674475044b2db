#include "scenario.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "process.h"

void *block[BLOCKS_MAX];

static void child(int seen, void (*run)(void))
{
    /* cmocka's handlers would go on with the next test, in the child. */
    for (int sig = 1; sig < 32; sig++)
        signal(sig, SIG_DFL);
    dup2(seen, STDERR_FILENO);
    log_begin();
    alarm(SCENARIO_LIMIT);
    /* What the tester's environment says must not matter. */
    config.trace = TRACE_NEVER;
    process_searching = false;
    config.ss_lg = SS_LG_MIN;
    /* Time passes only where a scenario says so. */
    config.tick = 0;
    run();
    _exit(0);
}

static void show(int seen)
{
    char text[4096];
    ssize_t n;
    off_t at = 0;

    while ((n = pread(seen, text, sizeof(text), at)) > 0) {
        fwrite(text, 1, (size_t)n, stderr);
        at += n;
    }
}

void scenario_run(const char *name, void (*run)(void))
{
    int seen = memfd_create(name, 0);
    int status = 0;
    pid_t pid;

    assert_true(seen >= 0);
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child(seen, run);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status)
        show(seen);
    close(seen);
    if (WIFSIGNALED(status))
        fail_msg("%s: ended by signal %d (%s)%s", name, WTERMSIG(status),
                 strsignal(WTERMSIG(status)), WTERMSIG(status) == SIGALRM ? ": hung" : "");
    if (status)
        fail_msg("%s: exit status %d", name, WEXITSTATUS(status));
}

_Noreturn void scenario_fail(const char *file, int line, const char *what)
{
    dprintf(STDERR_FILENO, "%s:%d: not so: %s\n", file, line, what);
    _exit(1);
}

void scenario_equal(const char *file, int line, const char *what, uint64_t got, uint64_t want)
{
    if (got == want)
        return;
    dprintf(STDERR_FILENO, "%s:%d: not so: %s: got %lu (0x%lx), want %lu (0x%lx)\n", file, line,
            what, got, got, want, want);
    _exit(1);
}

const char *said(void)
{
    static char text[1 << 18];
    ssize_t n = pread(STDERR_FILENO, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

unsigned said_times(const char *text)
{
    unsigned n = 0;

    for (const char *at = said(); (at = strstr(at, text)); at += strlen(text))
        n++;
    return n;
}

void fill_blocks(unsigned cls, unsigned from, unsigned to)
{
    uint32_t stride = geometry[cls].stride;

    for (unsigned i = from; i < to; i++) {
        block[i] = hak_malloc(stride);
        check(block[i] != NULL);
        memset(block[i], (int)(i & 0xff), stride);
    }
}

void free_blocks(unsigned cls, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        const unsigned char *bytes = block[i];

        for (uint32_t b = 0; b < geometry[cls].stride; b++)
            check_eq(bytes[b], i & 0xff);
        hak_free(block[i]);
        block[i] = NULL;
    }
}

struct call {
    void (*fn)(void *);
    void *arg;
};

static void *call(void *c)
{
    ((struct call *)c)->fn(((struct call *)c)->arg);
    return NULL;
}

void in_a_thread(void (*fn)(void *), void *arg)
{
    struct call c = {fn, arg};
    pthread_t thread;

    check_eq(pthread_create(&thread, NULL, call, &c), 0);
    check_eq(pthread_join(thread, NULL), 0);
}

struct hak_stats stats_now(void)
{
    struct hak_stats st;

    hak_get_stats(&st);
    return st;
}

struct hak_class_stats class_now(unsigned cls)
{
    return stats_now().cls[cls];
}
