/* The C library has each thread of a process do what setuid() and its relatives ask, and aborts
 * when one is answered otherwise than the rest: a thread that the program did not make, and that
 * may less, must not be met by it. The program has a thread beside it before each of the calls:
 * with all capabilities, with some kept across setuid(), with none. Who is not root tries what he
 * may. */
#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "check.h"

enum { PIECES = 3000, PIECE = 25000, NOBODY = 65534 };

#define MAY(cap) (1u << (cap))

static bool has_thread(void)
{
    DIR *d = opendir("/proc/self/task");
    int threads = 0;

    CHECK(d, "%s", strerror(errno));
    for (struct dirent *e; (e = readdir(d));)
        threads += atol(e->d_name) != 0;
    closedir(d);
    return threads > 1;
}

/* Enough comes and goes that the allocator has work for a thread. */
static void with_a_thread(void)
{
    static void *held[PIECES];

    for (int turn = 0; turn < 20 && !(turn && (has_thread() || !with_hakmem())); turn++) {
        for (int i = 0; i < PIECES; i++) {
            held[i] = malloc(PIECE);
            fill(held[i], PIECE, 1);
        }
        for (int i = 0; i < PIECES; i++)
            free(held[i]);
        /* A thread's first moments are spent in giving up what it may. */
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
    CHECK(!with_hakmem() || has_thread(), "no helper");
}

static void may(unsigned effective)
{
    struct __user_cap_header_struct self = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct caps[2] = {{effective, effective, 0}};

    CHECK(syscall(SYS_capset, &self, caps) == 0, "%s", strerror(errno));
}

#define GRANTED(call)                              \
    do {                                           \
        with_a_thread();                           \
        CHECK((call) == 0, "%s", strerror(errno)); \
    } while (0)

#define REFUSED(call)                                                 \
    do {                                                              \
        with_a_thread();                                              \
        errno = 0;                                                    \
        CHECK((call) == -1 && errno == EPERM, "%s", strerror(errno)); \
    } while (0)

static void *change_often(void *unused)
{
    for (int i = 0; i < 300; i++) {
        CHECK(seteuid(geteuid()) == 0, "%s", strerror(errno));
        free(malloc(PIECE));
    }
    return unused;
}

static void as_root(void)
{
    static const gid_t groups[] = {1, 2, 3};

    GRANTED(setgroups(3, groups));
    GRANTED(initgroups("nobody", NOBODY));
    GRANTED(setresgid(1, 2, 3));
    GRANTED(setregid(4, 5));
    GRANTED(setegid(4));
    GRANTED(setgid(NOBODY));
    GRANTED(setresuid(0, 1, 0));
    GRANTED(seteuid(0));
    GRANTED(setreuid(0, 0));
    CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0, "%s", strerror(errno));
    GRANTED(setuid(NOBODY));
    /* The capabilities that this thread has kept, no other has. */
    may(MAY(CAP_SETGID) | MAY(CAP_SETUID));
    GRANTED(setgroups(2, groups));
    GRANTED(setresuid(1, 1, NOBODY));
    may(0);
}

int main(void)
{
    pthread_t threads[3];
    uid_t me;
    gid_t mine;

    if (geteuid() == 0)
        as_root();
    me = getuid();
    mine = getgid();
    GRANTED(setuid(me));
    GRANTED(setgid(mine));
    REFUSED(setuid(0));
    REFUSED(seteuid(0));
    REFUSED(setgid(0));
    REFUSED(setgroups(1, &mine));
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, change_often, NULL) == 0, "%s", strerror(errno));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    puts("it is who it says");
    return 0;
}
