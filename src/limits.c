#include "limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "kernel.h"
#include "os.h"

/* ---- reading files ---- */

/* The beginning of a file as text; false if there is none. */
static bool file_text(const char *path, char *text, size_t size)
{
    int fd = os_open(path);
    long n;

    if (fd < 0)
        return false;
    n = os_read(fd, text, size - 1);
    os_close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* The number that a file holds; none for "max", and for what cannot be read. */
static uint64_t file_number(const char *path, uint64_t none)
{
    char text[32];

    if (!file_text(path, text, sizeof(text)) || text[0] < '0' || text[0] > '9')
        return none;
    return strtoull(text, NULL, 10);
}

static uint64_t count_lines(const char *path)
{
    char text[2048];
    uint64_t lines = 0;
    int fd = os_open(path);
    long n;

    if (fd < 0)
        return 0;
    while ((n = os_read(fd, text, sizeof(text))) > 0)
        for (long i = 0; i < n; i++)
            lines += text[i] == '\n';
    os_close(fd);
    return lines;
}

/* ---- the memory cgroup ---- */

#define PATH_SIZE 512
/* v1 says "none" by a number just below 2^63. */
#define NO_LIMIT ((uint64_t)1 << 62)

struct hierarchy {
    const char *mounted;
    const char *limit, *used;
};

static const struct hierarchy v1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                    "memory.usage_in_bytes"};
static const struct hierarchy v2 = {"/sys/fs/cgroup", "memory.max", "memory.current"};

static uint64_t group_number(const struct hierarchy *h, const char *group, const char *file)
{
    char path[PATH_SIZE + 64];

    snprintf(path, sizeof(path), "%s%s/%s", h->mounted, group, file);
    return file_number(path, 0);
}

/* Looks at one group: the one whose use is nearest to its limit counts. */
static void consider(const struct hierarchy *h, const char *group, struct limits *l)
{
    uint64_t limit = group_number(h, group, h->limit);
    uint64_t used = limit ? group_number(h, group, h->used) : 0;

    if (!limit || limit >= NO_LIMIT)
        return;
    /* used / limit above what was found before, in 128 bits. */
    if (!l->cgroup_limit ||
        (unsigned __int128)used * l->cgroup_limit > (unsigned __int128)l->cgroup_used * limit) {
        l->cgroup_limit = limit;
        l->cgroup_used = used;
    }
}

/* The group and all above it. In a container some of the path may lie outside of what is mounted:
 * then only the upper groups answer. */
static void consider_path(const struct hierarchy *h, char *group, struct limits *l)
{
    for (;;) {
        char *slash = strrchr(group, '/');

        consider(h, strcmp(group, "/") == 0 ? "" : group, l);
        if (!slash)
            return;
        *slash = '\0';
        if (slash == group) {
            consider(h, "", l);
            return;
        }
    }
}

static void read_cgroup(struct limits *l)
{
    char text[2048];
    char *rest = NULL;

    l->cgroup_used = l->cgroup_limit = 0;
    if (!file_text("/proc/self/cgroup", text, sizeof(text)))
        return;
    /* Lines of "number:controllers:path"; v2's has number 0 and no controllers. */
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!path || strlen(path) > PATH_SIZE)
            continue;
        *path++ = '\0';
        if (strcmp(controllers + 1, "memory") == 0)
            consider_path(&v1, path, l);
        else if (controllers[1] == '\0')
            consider_path(&v2, path, l);
    }
}

/* ---- the process ---- */

/* The first fields of /proc/self/statm, in bytes; all 0 if it cannot be read. */
enum { STATM_VM, STATM_RSS, STATM_SHARED, STATM_DATA = 5, STATM_FIELDS };

static void read_statm(uint64_t bytes[STATM_FIELDS])
{
    char text[128];
    char *rest = text;

    memset(bytes, 0, STATM_FIELDS * sizeof(*bytes));
    if (!file_text("/proc/self/statm", text, sizeof(text)))
        return;
    for (unsigned i = 0; i < STATM_FIELDS; i++)
        bytes[i] = strtoull(rest, &rest, 10) * os_page();
}

/* 0: none. */
static uint64_t limit_of(int resource)
{
    struct rlimit limit = {0, 0};

    if (kernel_call(SYS_prlimit64, 0, resource, NULL, &limit) != 0 ||
        limit.rlim_cur == RLIM_INFINITY)
        return 0;
    return limit.rlim_cur ? limit.rlim_cur : 1;
}

/* A SuperSlab, a region of either pool and two leaves of the page map are some 11 MiB: what is left
 * must be much more. */
#define NEAR ((uint64_t)32 << 20)

static bool is_near(uint64_t limit, uint64_t used)
{
    return limit && limit < used + NEAR;
}

bool limits_near;

void limits_find(void)
{
    uint64_t as = limit_of(RLIMIT_AS), data = limit_of(RLIMIT_DATA), bytes[STATM_FIELDS];
    int saved = errno;

    if (as || data) {
        read_statm(bytes);
        limits_near = is_near(as, bytes[STATM_VM]) || is_near(data, bytes[STATM_DATA]);
    }
    errno = saved;
}

void limits_read(struct limits *l)
{
    int saved = errno;
    uint64_t bytes[STATM_FIELDS];

    memset(l, 0, sizeof(*l));
    read_statm(bytes);
    l->vm = bytes[STATM_VM];
    l->rss = bytes[STATM_RSS];
    if (l->rss > bytes[STATM_SHARED])
        l->anon = l->rss - bytes[STATM_SHARED];
    l->limit_as = limit_of(RLIMIT_AS);
    read_cgroup(l);
    errno = saved;
}

/* The twentieth field of /proc/self/stat; the second is in parentheses and may hold anything. */
static uint32_t read_threads(void)
{
    char text[512];
    char *at;

    if (!file_text("/proc/self/stat", text, sizeof(text)) || !(at = strrchr(text, ')')))
        return 0;
    for (unsigned field = 2; field < 20 && at; field++)
        at = strchr(at + 1, ' ');
    return at ? (uint32_t)strtoul(at, NULL, 10) : 0;
}

/* The number of kB in one line of /proc/meminfo, in bytes; 0 if it has none. */
static uint64_t meminfo(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    return line ? strtoull(line + strlen(name), NULL, 10) << 10 : 0;
}

static void read_machine(struct limits *l)
{
    char text[4096];

    if (!file_text("/proc/meminfo", text, sizeof(text)))
        return;
    l->memory = meminfo(text, "MemTotal:") + meminfo(text, "SwapTotal:");
    l->commit_limit = meminfo(text, "CommitLimit:");
    l->committed = meminfo(text, "Committed_AS:");
}

void limits_read_all(struct limits *l)
{
    int saved = errno;

    limits_read(l);
    l->maps = count_lines("/proc/self/maps");
    l->max_maps = file_number("/proc/sys/vm/max_map_count", 0);
    l->overcommit = (uint32_t)file_number("/proc/sys/vm/overcommit_memory", 0);
    l->threads = read_threads();
    read_machine(l);
    errno = saved;
}
