#include "who.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "kernel.h"
#include "os.h"

static long read_file(const char *path, char *to, size_t size)
{
    int fd = os_open(path);
    long n = fd < 0 ? -1 : os_read(fd, to, size);

    if (fd >= 0)
        os_close(fd);
    return n;
}

/* Behind the name in /proc/self/stat, " S 1 …", stands the state, which is its third field. */
#define STARTED 22

static uint64_t started_by(const char *behind_name)
{
    const char *at = behind_name;

    for (unsigned field = 3; at && field < STARTED; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

/* "pid (name) state …"; the name may hold anything. */
static void read_stat(struct who *w)
{
    char text[1024];
    long n = read_file("/proc/self/stat", text, sizeof(text) - 1);
    const char *begin, *end;
    size_t len;

    text[n > 0 ? n : 0] = '\0';
    begin = strchr(text, '(');
    end = strrchr(text, ')');
    if (!begin || !end || end < begin)
        return;
    len = (size_t)(end - begin - 1);
    if (len >= sizeof(w->name))
        len = sizeof(w->name) - 1;
    memcpy(w->name, begin + 1, len);
    w->name[len] = '\0';
    w->started = started_by(end + 1);
}

static void read_command(struct who *w)
{
    static const char more[] = "...";
    long n = read_file("/proc/self/cmdline", w->command, WHO_COMMAND);

    /* Programs that write a title over it leave blanks behind. */
    while (n > 0 && (!w->command[n - 1] || w->command[n - 1] == ' '))
        n--;
    for (long i = 0; i < n; i++)
        if (!w->command[i])
            w->command[i] = ' ';
    if (n == WHO_COMMAND)
        memcpy(w->command + n - sizeof(more), more, sizeof(more));
    else
        w->command[n > 0 ? n : 0] = '\0';
}

void who_look(struct who *w)
{
    int saved = errno;

    *w = (struct who){.parent = os_parent()};
    read_stat(w);
    if (!w->name[0] && os_tid() == os_pid())
        (void)kernel_call(SYS_prctl, PR_GET_NAME, w->name);
    read_command(w);
    errno = saved;
}
