/* A program that has forbidden itself every system call but those that the C library's malloc
 * makes goes on, without a helper and a search for the tracer (HAKMEM_TICK=0, HAKMEM_TRACE=0):
 * malloc and free make no others, now or later. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "check.h"

#define MAY(nr) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void lock_up(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        MAY(SYS_read),
        MAY(SYS_write),
        MAY(SYS_exit_group),
        MAY(SYS_brk),
        MAY(SYS_mmap),
        MAY(SYS_munmap),
        MAY(SYS_mremap),
        MAY(SYS_madvise),
        MAY(SYS_mprotect),
        MAY(SYS_futex),
        MAY(SYS_clock_gettime),
        MAY(SYS_getrandom),
        MAY(SYS_rt_sigreturn),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "%s", strerror(errno));
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "%s", strerror(errno));
}

static _Noreturn void work(size_t size, size_t blocks)
{
    static void *held[20000];
    struct timespec now, end;

    lock_up();
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec++;
    do {
        for (size_t i = 0; i < blocks; i++)
            held[i] = malloc(size);
        for (size_t i = 0; i < blocks; i++)
            free(held[i]);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < end.tv_sec || now.tv_nsec < end.tv_nsec);
    _exit(0);
}

static void sandbox(size_t size, size_t blocks)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        work(size, blocks);
    waitpid(pid, &status, 0);
    CHECK(status == 0, "%s with %zu blocks of %zu bytes", strsignal(WTERMSIG(status)), blocks,
          size);
}

int main(int argc, char **argv)
{
    (void)argc;
    if (!getenv("HAKMEM_TICK")) {
        setenv("HAKMEM_TICK", "0", 1);
        setenv("HAKMEM_TRACE", "0", 1);
        execv("/proc/self/exe", argv);
        CHECK(false, "%s", strerror(errno));
    }
    free(malloc(100));
    sandbox(100, 500);
    sandbox(1000, 20000);
    sandbox(30000, 300);
    sandbox(2000000, 20);
    puts("it lived");
}
