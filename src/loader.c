#include "loader.h"

#if HAK_INTERPOSE
#include <dlfcn.h>
#include <errno.h>

#include "config.h"
#include "log.h"
#include "process.h"

/* The C library finds the caller, whose search path and namespace hold, by the return address. So
 * these end in a jump and not in a call, which not every level of optimisation makes it. */
#define ENDS_IN_A_JUMP __attribute__((optimize("O2")))

static void *(*_Atomic next_open)(const char *, int);
static void *(*_Atomic next_open_in)(Lmid_t, const char *, int);

static NOINLINE int without_deepbind(const char *file, int mode)
{
    static atomic_flag told = ATOMIC_FLAG_INIT;

    process_init();
    if (config.deepbind == DEEPBIND_KEEP)
        return mode;
    if (config.deepbind == DEEPBIND_TELL && !atomic_flag_test_and_set(&told))
        log_line("hakmem: %.200s is opened without RTLD_DEEPBIND, as all others: it would get the "
                 "C library's malloc (HAKMEM_DEEPBIND=keep)\n",
                 file ? file : "the program");
    return mode & ~RTLD_DEEPBIND;
}

static NOINLINE void find_next(void)
{
    int saved = errno;

    /* POSIX gives function pointers through void *; ISO C does not. */
    atomic_store(&next_open, (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen"));
    atomic_store(&next_open_in, (void *(*)(Lmid_t, const char *, int))dlsym(RTLD_NEXT, "dlmopen"));
    errno = saved;
}

EXPORT ENDS_IN_A_JUMP void *dlopen(const char *file, int mode)
{
    if (!atomic_load(&next_open))
        find_next();
    if (mode & RTLD_DEEPBIND)
        mode = without_deepbind(file, mode);
    return atomic_load(&next_open)(file, mode);
}

EXPORT ENDS_IN_A_JUMP void *dlmopen(Lmid_t space, const char *file, int mode)
{
    if (!atomic_load(&next_open_in))
        find_next();
    /* Other namespaces have a C library of their own, whose malloc is theirs. */
    if ((mode & RTLD_DEEPBIND) && space == LM_ID_BASE)
        mode = without_deepbind(file, mode);
    return atomic_load(&next_open_in)(space, file, mode);
}
#endif
