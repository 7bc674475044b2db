/* A vfork child borrows its parent's memory: nothing it does may confuse the allocator. */
#include <spawn.h>

#include "check.h"

enum { RUNS = 50 };

extern char **environ;

static void *spawn_repeatedly(void *arg)
{
    char *arguments[] = {"true", NULL};

    for (int i = 0; i < RUNS; i++) {
        void *before = malloc(100 + (size_t)i);
        pid_t pid;
        int e = posix_spawnp(&pid, "true", NULL, NULL, arguments, environ);
        CHECK(e == 0, "posix_spawn: %s", strerror(e));
        int status = wait_bounded(pid, "true");
        CHECK(status == 0, "wait status 0x%x", status);
        free(before);
    }
    return arg;
}

/* A function of its own: what lives across vfork must not live in registers. */
__attribute__((noinline)) static pid_t vfork_once(const char *volatile program)
{
    pid_t pid = vfork();

    CHECK(pid >= 0, "vfork: %s", strerror(errno));
    if (pid)
        return pid;
    if (program)
        execl(program, program, (char *)NULL);
    _exit(program ? 127 : 0);
}

static void vfork_repeatedly(void)
{
    for (int i = 0; i < RUNS; i++) {
        unsigned char *block = malloc(300);

        CHECK(block, "NULL");
        fill(block, 300, 0x55);
        int status = wait_bounded(vfork_once(i % 2 ? "/bin/true" : NULL), "a vfork child");
        CHECK(status == 0, "wait status 0x%x", status);
        CHECK(holds(block, 300, 0x55), "a changed block");
        free(block);
    }
}

int main(void)
{
    pthread_t id;

    CHECK(pthread_create(&id, NULL, spawn_repeatedly, NULL) == 0, "no thread");
    vfork_repeatedly();
    pthread_join(id, NULL);
    puts("100 children spawned");
    return 0;
}
