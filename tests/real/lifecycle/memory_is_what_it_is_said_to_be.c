/* Memory said to be zero is zero, and memory said to be given back is given back, whatever the
 * kernel refuses: in a sandbox whose filter refuses to take memory back, and where it is locked.
 * Each such place is a process of its own; all of them run at once. */
#include <malloc.h>
#include <sys/mman.h>

#include "../../../src/hakmem.h"
#include "../../refuse.h"
#include "check.h"

#define MIB ((size_t)1 << 20)
#define PER_SIZE MIB
#define ROUNDS 3

static const size_t sizes[] = {40, 1000, 2100, 3000, 20000, 70000, 400000, 1500000};
#define SIZES (sizeof sizes / sizeof *sizes)
#define BLOCKS_MAX (PER_SIZE / 40 + 1)

static unsigned char *block[SIZES][BLOCKS_MAX];

static size_t blocks_of(size_t size)
{
    size_t n = PER_SIZE / size;

    return n < 3 ? 3 : n;
}

static unsigned char stamp(size_t s, size_t i)
{
    return (unsigned char)(0x80 | (s * 31 + i));
}

/* A block of zeros, or of anything, by one of the ways there are. */
static unsigned char *allocate(size_t size, size_t way)
{
    unsigned char *p = NULL;

    switch (way % 6) {
    case 0: p = malloc(size); break;
    case 1: p = aligned_alloc(4096, size); break;
    case 2: p = reallocarray(malloc(size / 3 + 1), 2, size / 2 + 1); break;
    default:
        p = way % 2 ? calloc(1, size) : calloc(size, 1);
        CHECK(!p || holds(p, size, 0), "%zu bytes from calloc that are not zero", size);
    }
    CHECK(p, "no %zu bytes: %s", size, strerror(errno));
    return p;
}

static void fill_all(size_t way)
{
    for (size_t s = 0; s < SIZES; s++)
        for (size_t i = 0; i < blocks_of(sizes[s]); i++) {
            block[s][i] = allocate(sizes[s], i + way);
            fill(block[s][i], sizes[s], stamp(s, i));
        }
}

/* Blocks grow and shrink with what is in them. */
static void resize_some(void)
{
    for (size_t s = 0; s < SIZES; s++)
        for (size_t i = 0; i < blocks_of(sizes[s]); i += 5) {
            unsigned char *p = realloc(block[s][i], sizes[s] * 3);

            CHECK(p && holds(p, sizes[s], stamp(s, i)), "%zu bytes grew and changed", sizes[s]);
            block[s][i] = realloc(p, sizes[s]);
            CHECK(block[s][i], "%zu bytes could not shrink", sizes[s]);
        }
}

static void free_some(size_t step)
{
    for (size_t s = 0; s < SIZES; s++)
        for (size_t i = 0; i < blocks_of(sizes[s]); i++) {
            if (!block[s][i] || i % step)
                continue;
            CHECK(holds(block[s][i], sizes[s], stamp(s, i)), "%zu bytes changed", sizes[s]);
            free(block[s][i]);
            block[s][i] = NULL;
        }
}

static void rest(void)
{
    nanosleep(&(struct timespec){1, 300000000}, NULL);
}

static void (*get_stats)(struct hak_stats *);

static size_t address_space(void)
{
    char text[128] = "";
    int fd = open("/proc/self/statm", O_RDONLY);

    CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0, "%s", strerror(errno));
    close(fd);
    return strtoul(text, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* What the statistics say is there is there, and nothing else of any size. */
static void check_statistics(size_t vm_before, size_t rss_before, bool locked)
{
    struct hak_stats st;
    size_t vm, rss, mapped, there;

    if (!get_stats)
        return;
    get_stats(&st);
    vm = address_space();
    rss = (size_t)resident_kb() << 10;
    mapped = st.mapped_bytes + st.mid.mapped + st.large.mapped + st.huge.mapped + st.kept_bytes;
    there = locked ? mapped
                   : st.mapped_bytes + st.mid.used + st.mid.idle + st.large.used + st.large.idle +
                         st.huge.used + st.huge.idle + st.kept_bytes;
    CHECK(mapped <= vm, "%zu mapped bytes of %zu", mapped, vm);
    CHECK(vm <= vm_before + mapped + 6 * MIB, "%zu mapped bytes, %zu addresses after %zu", mapped,
          vm, vm_before);
    CHECK(rss <= rss_before + there + 4 * MIB, "%zu bytes said to be there, %zu resident after %zu",
          there, rss, rss_before);
}

static void live(bool locked)
{
    size_t vm = address_space(), rss = (size_t)resident_kb() << 10;

    for (size_t round = 0; round < ROUNDS; round++) {
        fill_all(round);
        resize_some();
        free_some(3);
        free_some(2);
        check_statistics(vm, rss, locked);
        rest();
        check_statistics(vm, rss, locked);
        free_some(1);
        rest();
        check_statistics(vm, rss, locked);
    }
    (void)malloc_trim(0);
    check_statistics(vm, rss, locked);
}

static void refusing(long nr, int err)
{
    CHECK(refuse(nr, err), "no filter: %s", strerror(errno));
    live(false);
}

/* Without a right to lock more than a little, little is locked. */
static void locking_all(int how)
{
    live(mlockall(how) == 0);
}

static void locking_blocks(unsigned flags)
{
    /* Freed without munlock(): their pages stay locked. */
    for (size_t i = 0; i < 20; i++) {
        unsigned char *p = malloc(i % 2 ? 3000 : 30000);

        fill(p, 3000, 1);
        CHECK(mlock2(p, 1000, flags) == 0, "mlock2: %s", strerror(errno));
        free(p);
    }
    live(false);
}

static void in_place(unsigned place)
{
    static const long calls[] = {SYS_madvise, SYS_munmap, SYS_mremap};
    static const int errors[] = {EPERM, EINVAL, ENOMEM, EAGAIN};

    if (place < 12) {
        refusing(calls[place / 4], errors[place % 4]);
        return;
    }
    switch (place) {
    case 12:
        CHECK(refuse(SYS_madvise, EPERM) && refuse(SYS_munmap, EPERM), "no filter");
        refusing(SYS_mremap, EPERM);
        break;
    case 13: locking_all(MCL_CURRENT | MCL_FUTURE); break;
    case 14: locking_all(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT); break;
    case 15: locking_blocks(0); break;
    case 16: locking_blocks(MLOCK_ONFAULT); break;
    default: live(false); break;
    }
}

#define PLACES 18u

int main(int count, char **words)
{
    pid_t child[PLACES];
    char what[32];

    (void)count;
    /* A tracer has mappings of its own. */
    if (!getenv("HAKMEM_TRACE")) {
        setenv("HAKMEM_TRACE", "0", 1);
        execv("/proc/self/exe", words);
    }

    *(void **)&get_stats = dlsym(RTLD_DEFAULT, "hak_get_stats");
    for (unsigned i = 0; i < PLACES; i++) {
        child[i] = fork();
        CHECK(child[i] >= 0, "fork: %s", strerror(errno));
        if (!child[i]) {
            in_place(i);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < PLACES; i++) {
        snprintf(what, sizeof what, "place %u", i);
        int status = wait_bounded(child[i], what);

        CHECK(status == 0, "status 0x%x in %s", status, what);
    }
    return 0;
}
