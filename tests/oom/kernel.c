/* What the kernel counts and limits. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "puppet.h"

/* A file's text; stdio would allocate. */
static char *text_of(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? text : NULL;
}

static unsigned long mapped_bytes(void)
{
    char text[128];

    if (!text_of("/proc/self/statm", text, sizeof(text)))
        give_up("/proc/self/statm");
    return strtoul(text, NULL, 10) * (unsigned long)sysconf(_SC_PAGESIZE);
}

unsigned long limit_as(unsigned long mib, unsigned long unused, unsigned long unused2)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit))
        give_up("getrlimit");
    limit.rlim_cur = mapped_bytes() + (mib << 20);
    if (setrlimit(RLIMIT_AS, &limit))
        give_up("setrlimit");
    return limit.rlim_cur;
}

/* The test says where its group is. */
static unsigned long group_number(const char *file)
{
    char path[512], text[64];
    const char *group = getenv("PUPPET_CGROUP");

    if (!group)
        return 0;
    snprintf(path, sizeof(path), "%s/%s", group, file);
    return text_of(path, text, sizeof(text)) ? strtoul(text, NULL, 10) : 0;
}

unsigned long percent_used(void)
{
    unsigned long limit = group_number("memory.limit_in_bytes") + group_number("memory.max");
    struct rlimit as;

    if (limit)
        return (group_number("memory.usage_in_bytes") + group_number("memory.current")) * 100 /
               limit;
    if (getrlimit(RLIMIT_AS, &as) || as.rlim_cur == RLIM_INFINITY)
        give_up("grow_to without a limit");
    return mapped_bytes() * 100 / as.rlim_cur;
}

unsigned long map(unsigned long mib, unsigned long unused, unsigned long unused2)
{
    char *memory =
        mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return 0;
    memset(memory, 1, mib << 20);
    return mib << 20;
}

/* More than any gap between what is mapped: it lies below all, and what comes later lies below it.
 */
#define LID ((size_t)768 << 20)

/* Every other page of what is reserved first may be read: no two neighbours can be one mapping, and
 * what comes later cannot be one with something else. */
unsigned long maps(unsigned long most, unsigned long unused, unsigned long unused2)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t size = most * page > LID ? most * page : LID;
    size_t made = 0;
    char *memory = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        give_up("mmap");
    while (made + 1 < most && !mprotect(memory + (made + 1) * page, page, PROT_READ))
        made += 2;
    /* One less than too many, and what is mapped beside its like would be one with it for ever.
     * Shared mappings never are. */
    while (made + 1 < most &&
           mmap(NULL, page, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        made++;
    return made;
}
