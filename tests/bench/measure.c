/* measure [-n N] [-p LIBRARY] -- COMMAND…
 *
 * Runs COMMAND N times, each with LIBRARY preloaded, and prints what the runs cost:
 *   measure status=0 wall_ns=… user_us=… sys_us=… maxrss_kb=…
 * (sums over the N runs; the maximum for maxrss). A process inherits its parent's maximum RSS at
 * exec, so an interpreter must not be that parent: this program is small, and does not allocate. */
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

extern char **environ;

/* The environment for COMMAND: ours, and LD_PRELOAD in front. */
static char **with_preload(const char *library)
{
    static char setting[PATH_MAX + 16];
    static char *env[4096];
    size_t n = 0;

    if (!library)
        return environ;
    if (snprintf(setting, sizeof setting, "LD_PRELOAD=%s", library) >= (int)sizeof setting)
        die("the library's name is too long");
    env[n++] = setting;
    for (char **e = environ; *e; e++) {
        if (!strncmp(*e, "LD_PRELOAD=", 11))
            continue;
        if (n == sizeof env / sizeof *env - 1)
            die("more than 4,000 environment variables");
        env[n++] = *e;
    }
    return env;
}

static long microseconds(struct timeval t)
{
    return t.tv_sec * 1000000L + t.tv_usec;
}

int main(int argc, char **argv)
{
    const char *library = NULL;
    uint64_t runs = 1, wall = 0;
    long user = 0, sys = 0, maxrss = 0;
    int opt, status = 0;

    while ((opt = getopt(argc, argv, "+n:p:")) != -1) {
        if (opt == 'n')
            runs = arg_number(1, &optarg, 0, "-n", 1, 1000000, 1);
        else if (opt == 'p')
            library = optarg;
        else
            die("usage: measure [-n N] [-p LIBRARY] -- COMMAND…");
    }
    if (optind == argc)
        die("usage: measure [-n N] [-p LIBRARY] -- COMMAND…");
    char **env = with_preload(library);
    for (uint64_t i = 0; i < runs && !status; i++) {
        struct rusage use;
        pid_t child;
        uint64_t start = now_ns();
        int e = posix_spawnp(&child, argv[optind], NULL, NULL, argv + optind, env);

        if (e)
            die("%s: %s", argv[optind], strerror(e));
        while (wait4(child, &status, 0, &use) < 0)
            if (errno != EINTR)
                die("wait4: %s", strerror(errno));
        wall += now_ns() - start;
        user += microseconds(use.ru_utime);
        sys += microseconds(use.ru_stime);
        if (use.ru_maxrss > maxrss)
            maxrss = use.ru_maxrss;
    }
    if (WIFSIGNALED(status))
        fprintf(stderr, "%s: %s\n", argv[optind], strsignal(WTERMSIG(status)));
    printf("measure status=%d wall_ns=%llu user_us=%ld sys_us=%ld maxrss_kb=%ld\n",
           WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
           (unsigned long long)wall, user, sys, maxrss);
    return 0;
}
