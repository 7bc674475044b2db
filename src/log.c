#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

void log_write(int fd, const char *text, size_t len)
{
    int saved = errno;

    while (len > 0) {
        /* Not write(): that is a cancellation point, and malloc must be none. */
        long n = syscall(SYS_write, fd, text, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        text += n;
        len -= (size_t)n;
    }
    errno = saved;
}

static void log_args(int fd, const char *format, va_list args)
{
    char line[LOG_LINE_MAX];
    int saved = errno;
    int len;

    /* No floating point and no wide characters in our formats: the C library's formatter
     * allocates only for those. */
    len = vsnprintf(line, sizeof(line), format, args);
    if (len >= (int)sizeof(line)) {
        len = (int)sizeof(line) - 1;
        line[len - 1] = '\n';
    }
    if (len > 0)
        log_write(fd, line, (size_t)len);
    errno = saved;
}

void log_line(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_args(STDERR_FILENO, format, args);
    va_end(args);
}

void log_to(int fd, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_args(fd, format, args);
    va_end(args);
}
