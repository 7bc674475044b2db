#include "roll.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>

#include "kernel.h"
#include "os.h"

/* As analysis/hak/roll.py has it. */
#define MAGIC "hakroll1"
#define PLACES 1023

struct place {
    _Atomic uint32_t pid; /* 0: nobody's */
    uint32_t parent, way, unused;
    char name[16];
};

struct roll {
    char magic[8];
    _Atomic uint32_t passed_by; /* processes that found no place */
    uint32_t unused[5];
    struct place place[PLACES];
};

_Static_assert(sizeof(struct roll) == 32 * ((size_t)PLACES + 1), "the file has no holes");

static struct roll *roll;
static _Atomic(struct place *) mine;

/* Only what `hak record` has made, as long as it must be: nothing else is written to. */
static struct roll *open_roll(const char *path)
{
    int fd = (int)kernel_call(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct roll *found = MAP_FAILED;
    long size;

    if (fd < 0)
        return NULL;
    size = kernel_call(SYS_lseek, fd, 0, SEEK_END);
    if (size == sizeof(*found))
        found = kernel_mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    os_close(fd);
    if (found == MAP_FAILED)
        return NULL;
    if (memcmp(found->magic, MAGIC, sizeof(found->magic)) == 0)
        return found;
    (void)kernel_munmap(found, sizeof(*found));
    return NULL;
}

/* The one that this pid may have already, before it executed what it runs now, or a free one. */
static struct place *take(uint32_t pid, bool again)
{
    for (unsigned i = 0; again && i < PLACES; i++)
        if (atomic_load_explicit(&roll->place[i].pid, memory_order_relaxed) == pid)
            return &roll->place[i];
    for (unsigned i = 0; i < PLACES; i++) {
        struct place *p = &roll->place[(pid + i) % PLACES];
        uint32_t nobody = 0;

        if (atomic_compare_exchange_strong(&p->pid, &nobody, pid))
            return p;
    }
    return NULL;
}

static void enter(enum roll_way way)
{
    struct place *p = take(os_pid(), way != ROLL_FORKED);

    atomic_store(&mine, p);
    if (!p) {
        atomic_fetch_add(&roll->passed_by, 1);
        return;
    }
    p->parent = os_parent();
    p->way = way;
    (void)kernel_call(SYS_prctl, PR_GET_NAME, p->name);
}

void roll_begin(void)
{
    const char *path = os_env("HAK_ROLL");
    int saved = errno;

    if (path && (roll = open_roll(path)))
        enter(ROLL_EXECUTED);
    errno = saved;
}

void roll_forked(enum roll_way way)
{
    int saved = errno;

    if (roll)
        enter(way);
    errno = saved;
}

void roll_told(void)
{
    struct place *p = atomic_exchange(&mine, NULL);

    if (p)
        atomic_store(&p->pid, 0);
}
