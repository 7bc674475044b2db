/* Processes are started in every way there is, from a program of one thread and beside others that
 * allocate, begin and end, and load libraries; children that may allocate do. */
#include <sched.h>
#include <spawn.h>
#include <sys/syscall.h>

#include "check.h"

enum { ROUNDS = 6, BUSY = 2 };

extern char **environ;
static _Atomic bool stop;
static bool beside_others;

static void allocate(void)
{
    static const size_t size[] = {8, 24, 100, 1000, 3000, 20000, 100000, 3000000};
    char *p[8][8];

    for (int i = 0; i < 8; i++)
        for (int n = 0; n < 8; n++) {
            p[i][n] = malloc(size[i]);
            CHECK(p[i][n] != NULL, "no memory");
            fill(p[i][n], 8, (unsigned char)(i * 8 + n));
        }
    for (int i = 0; i < 8; i++)
        for (int n = 0; n < 8; n++) {
            CHECK(holds(p[i][n], 8, (unsigned char)(i * 8 + n)), "another's bytes");
            free(p[i][n]);
        }
}

static void *allocate_in_a_thread(void *unused)
{
    allocate();
    return unused;
}

static void expect(pid_t pid, const char *what)
{
    int status;

    CHECK(pid > 0, "%s: %s", what, strerror(errno));
    status = wait_bounded(pid, what);
    CHECK(status == 0, "%s: status 0x%x", what, (unsigned)status);
}

static void in_the_child(void)
{
    pthread_t thread;

    allocate();
    /* The C library has locks that nobody gives there, which threads are made under. */
    if (beside_others)
        return;
    if (pthread_create(&thread, NULL, allocate_in_a_thread, NULL) == 0)
        pthread_join(thread, NULL);
    allocate();
}

static void child_of(pid_t pid, const char *what)
{
    if (pid == 0) {
        in_the_child();
        _exit(0);
    }
    expect(pid, what);
}

static void by_double_fork(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        child_of(fork(), "grandchild");
        setsid();
        child_of(_Fork(), "grandchild of _Fork");
        _exit(0);
    }
    expect(pid, "double fork");
}

/* daemon(3) forks and lets the parent go. */
static void by_daemon(void)
{
    int ends[2];
    char byte = 0;
    pid_t pid;

    CHECK(pipe(ends) == 0, "no pipe");
    pid = fork();
    if (pid == 0) {
        if (daemon(1, 1) != 0)
            _exit(1);
        in_the_child();
        _exit(write(ends[1], "d", 1) != 1);
    }
    expect(pid, "the parent of a daemon");
    close(ends[1]);
    CHECK(read(ends[0], &byte, 1) == 1 && byte == 'd', "no word of the daemon");
    close(ends[0]);
}

static void by_popen(void)
{
    char line[64] = "";
    FILE *f = popen("echo $((6 * 7))", "r");

    CHECK(f && fgets(line, sizeof line, f) && !strcmp(line, "42\n"), "'%s'", line);
    CHECK(pclose(f) == 0, "pclose");
    CHECK(system("exit 3") == 3 << 8, "system");
}

static void by_spawn(void)
{
    char *argv[] = {"true", NULL};
    pid_t pid = -1;

    CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0, "posix_spawn");
    expect(pid, "a spawned program");
}

__attribute__((noinline)) static void by_vfork(void)
{
    pid_t pid = vfork();

    if (pid == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(127);
    }
    expect(pid, "a child of vfork");
}

static int exec_true(void *unused)
{
    char *argv[] = {"true", NULL};

    (void)unused;
    /* The parent's memory, and its allocator: it waits. */
    free(malloc(5000));
    execv("/bin/true", argv);
    return 127;
}

static void by_clone(void)
{
    static _Alignas(16) char stack[256 << 10];

    expect(clone(exec_true, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL),
           "a clone that shares memory");
}

static void by_system_calls(void)
{
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } args = {.exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

    if (pid == 0) {
        allocate();
        _exit(0);
    }
    expect(pid, "a raw clone");
    pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0 && errno == ENOSYS)
        return;
    if (pid == 0) {
        allocate();
        _exit(0);
    }
    expect(pid, "a raw clone3");
#ifdef SYS_fork
    pid = (pid_t)syscall(SYS_fork);
    if (pid == 0) {
        allocate();
        _exit(0);
    }
    expect(pid, "a raw fork");
#endif
}

static void every_way(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        child_of(fork(), "fork");
        child_of(_Fork(), "_Fork");
        by_double_fork();
        by_daemon();
        by_popen();
        by_spawn();
        by_vfork();
        by_clone();
        by_system_calls();
        allocate();
    }
}

static void *begin_and_end(void *unused)
{
    while (!stop) {
        pthread_t thread;
        void *library = dlopen("libdl.so.2", RTLD_NOW);

        allocate();
        if (pthread_create(&thread, NULL, allocate_in_a_thread, NULL) == 0)
            pthread_join(thread, NULL);
        if (library)
            dlclose(library);
    }
    return unused;
}

int main(void)
{
    pthread_t busy[BUSY];

    every_way();
    /* What the C library's malloc does not promise in children of raw clones beside threads. */
    if (with_hakmem()) {
        beside_others = true;
        for (int i = 0; i < BUSY; i++)
            CHECK(pthread_create(&busy[i], NULL, begin_and_end, NULL) == 0, "no thread");
        every_way();
        stop = true;
        for (int i = 0; i < BUSY; i++)
            pthread_join(busy[i], NULL);
    }
    puts("every process came to its end");
    return 0;
}
