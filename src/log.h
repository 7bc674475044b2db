/*
 * Lines on stderr: formatted on the stack and written with write(2), so that they never
 * allocate and may be used anywhere, also under a lock. Owns what file stderr was when the process
 * began, constant afterwards. Anyone may call.
 *
 * A program may close stderr, and the next file that it opens has its number: a line in that would
 * be damage. So a line is written only where descriptor 2 is still the file that it was.
 */
#ifndef HAKMEM_LOG_H
#define HAKMEM_LOG_H

#include "base.h"

#define LOG_LINE_MAX 512

/* Remembers what stderr is. Lines before are written too. */
void log_begin(void);

/* printf to stderr as one write; longer text is cut. Leaves errno alone. */
__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);

/* The same to fd, a copy of stderr. */
__attribute__((format(printf, 2, 3))) void log_to(int fd, const char *format, ...);

/* Writes len bytes to fd, whole if it can. Leaves errno alone. */
void log_write(int fd, const char *text, size_t len);

/* Should occurrence number n (from 0) of a repeated line be printed? The first eight, then
 * every power of two: a storm costs 64 lines at most, and the line's count tells the rest. */
static inline bool log_worth(uint64_t n)
{
    return n < 8 || !(n & (n - 1));
}

#endif
