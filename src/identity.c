#include "identity.h"

#if HAK_INTERPOSE
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <unistd.h>

#include "tick.h"

static struct {
    int (*setuid)(uid_t);
    int (*setgid)(gid_t);
    int (*seteuid)(uid_t);
    int (*setegid)(gid_t);
    int (*setreuid)(uid_t, uid_t);
    int (*setregid)(gid_t, gid_t);
    int (*setresuid)(uid_t, uid_t, uid_t);
    int (*setresgid)(gid_t, gid_t, gid_t);
    int (*setgroups)(size_t, const gid_t *);
    int (*initgroups)(const char *, gid_t);
} next;

/* POSIX gives function pointers through void *; ISO C does not. */
#define FIND(name) (*(void **)&next.name = dlsym(RTLD_NEXT, #name))

void identity_begin(void)
{
    FIND(setuid);
    FIND(setgid);
    FIND(seteuid);
    FIND(setegid);
    FIND(setreuid);
    FIND(setregid);
    FIND(setresuid);
    FIND(setresgid);
    FIND(setgroups);
    FIND(initgroups);
}

static int not_there(void)
{
    errno = ENOSYS;
    return -1;
}

#define ALONE(name, ...)                                           \
    do {                                                           \
        bool stopped = tick_stop();                                \
        int result;                                                \
                                                                   \
        if (unlikely(!next.name))                                  \
            identity_begin();                                      \
        result = next.name ? next.name(__VA_ARGS__) : not_there(); \
        if (stopped)                                               \
            tick_go_on();                                          \
        return result;                                             \
    } while (0)

EXPORT int setuid(uid_t uid)
{
    ALONE(setuid, uid);
}

EXPORT int setgid(gid_t gid)
{
    ALONE(setgid, gid);
}

EXPORT int seteuid(uid_t effective)
{
    ALONE(seteuid, effective);
}

EXPORT int setegid(gid_t effective)
{
    ALONE(setegid, effective);
}

EXPORT int setreuid(uid_t real, uid_t effective)
{
    ALONE(setreuid, real, effective);
}

EXPORT int setregid(gid_t real, gid_t effective)
{
    ALONE(setregid, real, effective);
}

EXPORT int setresuid(uid_t real, uid_t effective, uid_t saved)
{
    ALONE(setresuid, real, effective, saved);
}

EXPORT int setresgid(gid_t real, gid_t effective, gid_t saved)
{
    ALONE(setresgid, real, effective, saved);
}

EXPORT int setgroups(size_t count, const gid_t *groups)
{
    ALONE(setgroups, count, groups);
}

/* The C library's own calls its setgroups() directly. */
EXPORT int initgroups(const char *user, gid_t group)
{
    ALONE(initgroups, user, group);
}

#else
void identity_begin(void)
{
}
#endif
