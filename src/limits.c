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

/* ---- the memory cgroup ---- */

/* v1 says "none" by a number just below 2^63. */
#define NO_LIMIT ((uint64_t)1 << 62)

/* Names of files in a group, and of lines in them. */
struct hierarchy {
    uint32_t version;
    const char *mounted;
    const char *limit, *used, *events;
    const char *cache[2];
};

static const struct hierarchy v1 = {1,
                                    "/sys/fs/cgroup/memory",
                                    "memory.limit_in_bytes",
                                    "memory.usage_in_bytes",
                                    "memory.oom_control",
                                    {"total_inactive_file ", "total_active_file "}};
static const struct hierarchy v2 = {2,
                                    "/sys/fs/cgroup",
                                    "memory.max",
                                    "memory.current",
                                    "memory.events",
                                    {"inactive_file ", "active_file "}};

#define FILE_PATH (CGROUP_PATH + 64)

static void group_file(char path[FILE_PATH], const struct hierarchy *h, const char *group,
                       const char *file)
{
    snprintf(path, FILE_PATH, "%s%s/%s", h->mounted, group, file);
}

static uint64_t group_number(const struct hierarchy *h, const char *group, const char *file)
{
    char path[FILE_PATH];

    group_file(path, h, group, file);
    return file_number(path, 0);
}

/* The number behind a name at the begin of a line; 0 if no line begins so. */
static uint64_t line_number(const char *text, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, name, length))
            return strtoull(line + length, NULL, 10);
    }
    return 0;
}

/* Bytes of files, which the kernel drops where memory runs short. */
static uint64_t cache_of(const struct hierarchy *h, const char *group)
{
    char path[FILE_PATH], text[4096];

    group_file(path, h, group, "memory.stat");
    if (!file_text(path, text, sizeof(text)))
        return 0;
    return line_number(text, h->cache[0]) + line_number(text, h->cache[1]);
}

static uint64_t kills_of(const struct hierarchy *h, const char *group)
{
    char path[FILE_PATH], text[512];

    group_file(path, h, group, h->events);
    return file_text(path, text, sizeof(text)) ? line_number(text, "oom_kill ") : 0;
}

/* Looks at one group: the one whose use is nearest to its limit counts. */
static void consider(const struct hierarchy *h, const char *group, struct cgroup *nearest)
{
    uint64_t limit = group_number(h, group, h->limit), used, cache;

    if (!limit || limit >= NO_LIMIT)
        return;
    used = group_number(h, group, h->used);
    cache = cache_of(h, group);
    used -= cache < used ? cache : used;
    /* used / limit not above what was found before, in 128 bits. */
    if (nearest->limit &&
        (unsigned __int128)used * nearest->limit <= (unsigned __int128)nearest->used * limit)
        return;
    nearest->used = used;
    nearest->limit = limit;
    nearest->version = h->version;
    snprintf(nearest->path, sizeof(nearest->path), "%s", *group ? group : "/");
}

/* The group and all above it. In a container some of the path may lie outside of what is mounted:
 * then only the upper groups answer. */
static void consider_path(const struct hierarchy *h, char *group, struct cgroup *nearest)
{
    for (;;) {
        char *slash = strrchr(group, '/');

        consider(h, strcmp(group, "/") == 0 ? "" : group, nearest);
        if (!slash)
            return;
        *slash = '\0';
        if (slash == group) {
            consider(h, "", nearest);
            return;
        }
    }
}

static void read_cgroup(struct cgroup *nearest)
{
    char text[2048];
    char *rest = NULL;

    if (!file_text("/proc/self/cgroup", text, sizeof(text)))
        return;
    /* Lines of "number:controllers:path"; v2's has number 0 and no controllers. */
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!path || strlen(path) > CGROUP_PATH)
            continue;
        *path++ = '\0';
        if (strcmp(controllers + 1, "memory") == 0)
            consider_path(&v1, path, nearest);
        else if (controllers[1] == '\0')
            consider_path(&v2, path, nearest);
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
static uint64_t told_limit(rlim_t limit)
{
    return limit == RLIM_INFINITY ? 0 : limit ? limit : 1;
}

static struct rlimit limits_of(int resource)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    (void)kernel_call(SYS_prlimit64, 0, resource, NULL, &limit);
    return limit;
}

static uint64_t limit_of(int resource)
{
    return told_limit(limits_of(resource).rlim_cur);
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

/* The number of kB in one line of /proc/meminfo or /proc/self/status, in bytes; 0 if it has none.
 */
static uint64_t kib_line(const char *text, const char *name)
{
    return line_number(text, name) << 10;
}

static void read_status(struct limits *l)
{
    char text[4096];

    if (!file_text("/proc/self/status", text, sizeof(text)))
        return;
    l->shmem = kib_line(text, "RssShmem:");
    l->data = kib_line(text, "VmData:");
    l->locked = kib_line(text, "VmLck:");
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
    read_status(l);
    l->limit_as = limit_of(RLIMIT_AS);
    read_cgroup(&l->cgroup);
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

/* As LTTng names the files of its buffers; the others where a session has a place for them. */
static bool is_tracers(const char *line)
{
    return strstr(line, "/shm-ust-") || strstr(line, "/ust/uid/") || strstr(line, "/ust/pid/");
}

/* A line of /proc/self/maps: where it begins and ends, then how it may be used. */
static void add_mapping(struct limits *l, const char *line)
{
    char *rest;
    uint64_t begin = strtoull(line, &rest, 16), end = *rest ? strtoull(rest + 1, &rest, 16) : 0;

    l->maps++;
    if (strncmp(rest, " rw-s", 5) == 0 && is_tracers(rest))
        l->tracer += end - begin;
}

/* What is behind the first KiB of a line does not matter. */
static void read_maps(struct limits *l)
{
    char text[2048], line[1024];
    size_t length = 0;
    int fd = os_open("/proc/self/maps");
    long n;

    if (fd < 0)
        return;
    while ((n = os_read(fd, text, sizeof(text))) > 0)
        for (long i = 0; i < n; i++) {
            if (text[i] != '\n') {
                if (length < sizeof(line) - 1)
                    line[length++] = text[i];
                continue;
            }
            line[length] = '\0';
            length = 0;
            add_mapping(l, line);
        }
    os_close(fd);
}

static void read_machine(struct limits *l)
{
    char text[4096];

    if (!file_text("/proc/meminfo", text, sizeof(text)))
        return;
    l->memory = kib_line(text, "MemTotal:") + kib_line(text, "SwapTotal:");
    l->commit_limit = kib_line(text, "CommitLimit:");
    l->committed = kib_line(text, "Committed_AS:");
}

static void read_resources(struct limits *l)
{
    l->limit_data = limit_of(RLIMIT_DATA);
    l->limit_memlock = limit_of(RLIMIT_MEMLOCK);
    l->limit_stack = limit_of(RLIMIT_STACK);
    l->hard_as = told_limit(limits_of(RLIMIT_AS).rlim_max);
    l->hard_data = told_limit(limits_of(RLIMIT_DATA).rlim_max);
    l->hard_memlock = told_limit(limits_of(RLIMIT_MEMLOCK).rlim_max);
}

void limits_read_all(struct limits *l)
{
    int saved = errno;

    limits_read(l);
    read_maps(l);
    l->max_maps = file_number("/proc/sys/vm/max_map_count", 0);
    l->overcommit = (uint32_t)file_number("/proc/sys/vm/overcommit_memory", 0);
    l->threads = read_threads();
    read_machine(l);
    read_resources(l);
    if (l->cgroup.limit)
        l->cgroup.kills = kills_of(l->cgroup.version == 1 ? &v1 : &v2,
                                   strcmp(l->cgroup.path, "/") == 0 ? "" : l->cgroup.path);
    errno = saved;
}
