/* What the lifecycle programs share. A program prints what it saw and exits 1 when something
 * that must hold does not; lines that begin with "note: " are for the reader, not compared. */
#ifndef HAK_CHECK_H
#define HAK_CHECK_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* CHECK(condition, "what was seen: %d", …): the text is evaluated only on failure. */
#define CHECK(condition, ...)                                                     \
    do {                                                                          \
        if (!(condition)) {                                                       \
            printf("%s:%d: must hold: %s; saw ", __FILE__, __LINE__, #condition); \
            printf(__VA_ARGS__);                                                  \
            putchar('\n');                                                        \
            fflush(stdout);                                                       \
            _exit(1);                                                             \
        }                                                                         \
    } while (0)

static inline uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static inline void fill(void *p, size_t size, unsigned char stamp)
{
    memset(p, stamp, size);
}

static inline bool holds(const void *p, size_t size, unsigned char stamp)
{
    const unsigned char *bytes = p;

    for (size_t i = 0; i < size; i++)
        if (bytes[i] != stamp)
            return false;
    return true;
}

/* Resident KiB from /proc, read without stdio so that looking does not allocate. */
static inline long resident_kb(void)
{
    char text[128] = "";
    int fd = open("/proc/self/statm", O_RDONLY);

    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    char *second = n > 0 ? strchr(text, ' ') : NULL;
    return second ? strtol(second, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024) : 0;
}

/* What the C library's malloc need not do is asked of hakmem only. */
static inline bool with_hakmem(void)
{
    return dlsym(RTLD_DEFAULT, "hak_version") != NULL;
}

/* Seconds after which a process hangs: less than what runs these programs waits for them, and far
 * more than a busy machine is slow. */
enum { HANG = 200 };

/* Waits for `child`; one that hangs is killed and named. */
static inline int wait_bounded(pid_t child, const char *what)
{
    int status;

    for (int i = 0; i < HANG * 1000; i++) {
        pid_t done = waitpid(child, &status, WNOHANG);

        if (done == child)
            return status;
        CHECK(done == 0 || errno == EINTR, "waitpid for %s: %s", what, strerror(errno));
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    CHECK(false, "%s hangs: not done after %d s", what, HANG);
    return status;
}

#endif
