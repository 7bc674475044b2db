#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "kernel.h"
#include "os.h"

static struct {
    bool begun;
    struct os_file file;
} std_err;

void log_begin(void)
{
    std_err.file = os_file_of(STDERR_FILENO);
    std_err.begun = true;
}

static bool is_stderr(int fd)
{
    struct os_file now = os_file_of(fd);

    return now.type &&
           (!std_err.begun || (now.device == std_err.file.device &&
                               now.inode == std_err.file.inode && now.type == std_err.file.type));
}

void log_write(int fd, const char *text, size_t len)
{
    int saved = errno;

    while (len > 0) {
        long n = kernel_call(SYS_write, fd, text, len);

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

    if (!is_stderr(fd))
        return;
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

#ifdef HAK_DEBUG
_Noreturn NOINLINE void log_assert(const char *file, int line, const char *what)
{
    log_line("[ASSERT] %s:%d: %s\n", file, line, what);
    __builtin_trap();
}
#endif
