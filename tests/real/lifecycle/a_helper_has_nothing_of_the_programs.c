/* A program runs at a real-time priority, on one CPU, and drops its capabilities, which each thread
 * does for itself: threads that it did not make have neither the priority, nor its confinement, nor
 * a capability. What it may not do, not being root, it leaves. */
#include <dirent.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>

#include "check.h"

enum { PIECES = 3000, PIECE = 25000 };

static cpu_set_t first;

static long other_thread(void)
{
    DIR *d = opendir("/proc/self/task");
    struct dirent *e;
    long tid = 0;

    CHECK(d, "%s", strerror(errno));
    while ((e = readdir(d)))
        if (atol(e->d_name) && atol(e->d_name) != getpid())
            tid = atol(e->d_name);
    closedir(d);
    return tid;
}

static unsigned long long capabilities(long tid, const char *which)
{
    char name[64], text[8192], *line;
    int fd;
    ssize_t n;

    snprintf(name, sizeof name, "/proc/self/task/%ld/status", tid);
    fd = open(name, O_RDONLY);
    n = read(fd, text, sizeof text - 1);
    close(fd);
    CHECK(n > 0, "%s", strerror(errno));
    text[n] = '\0';
    line = strstr(text, which);
    CHECK(line, "no %s", which);
    return strtoull(line + strlen(which), NULL, 16);
}

static bool is_ordinary(long tid)
{
    cpu_set_t cpus;

    return sched_getscheduler((pid_t)tid) == SCHED_OTHER &&
           sched_getaffinity((pid_t)tid, sizeof cpus, &cpus) == 0 && CPU_EQUAL(&cpus, &first) &&
           capabilities(tid, "CapEff:") == 0 && capabilities(tid, "CapPrm:") == 0;
}

static void confine(void)
{
    struct sched_param urgent = {.sched_priority = 10};
    cpu_set_t one;
    int cpu = 0;

    sched_getaffinity(0, sizeof first, &first);
    while (!CPU_ISSET(cpu, &first))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0, "%s", strerror(errno));
    (void)sched_setscheduler(0, SCHED_FIFO, &urgent);
}

int main(void)
{
    static void *held[PIECES];
    struct __user_cap_header_struct self = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {0};
    long tid = 0;

    confine();
    for (int i = 0; i < PIECES; i++) {
        held[i] = malloc(PIECE);
        fill(held[i], PIECE, 1);
    }
    CHECK(syscall(SYS_capset, &self, none) == 0, "%s", strerror(errno));
    for (int i = 0; i < PIECES; i++)
        free(held[i]);
    /* Its first moments are spent in becoming so. */
    for (int i = 0; i < 1000; i++) {
        nanosleep(&(struct timespec){0, 10000000}, NULL);
        tid = other_thread();
        if (tid ? is_ordinary(tid) : !with_hakmem())
            break;
    }
    CHECK(!with_hakmem() || tid, "no helper");
    if (tid)
        CHECK(is_ordinary(tid), "policy %d, capabilities %llx of thread %ld",
              sched_getscheduler((pid_t)tid), capabilities(tid, "CapEff:"), tid);
    puts("it has nothing");
    return 0;
}
