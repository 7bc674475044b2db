/* A preloaded library as there are many: its functions stand in front of the C library's, and each
 * call looks up the one behind it, for which it waits for the loader. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *behind(const char *name)
{
    void *function;

    pthread_mutex_lock(&lock);
    function = dlsym(RTLD_NEXT, name);
    pthread_mutex_unlock(&lock);
    return function;
}

#define BEHIND(result, name, ...) ((result(*)(__VA_ARGS__))behind(#name))

int open(const char *path, int flags, ...)
{
    va_list rest;
    int mode;

    va_start(rest, flags);
    mode = va_arg(rest, int);
    va_end(rest);
    return BEHIND(int, open, const char *, int, int)(path, flags, mode);
}

int close(int fd)
{
    return BEHIND(int, close, int)(fd);
}

int socket(int domain, int type, int protocol)
{
    return BEHIND(int, socket, int, int, int)(domain, type, protocol);
}

int connect(int fd, const struct sockaddr *to, socklen_t size)
{
    return BEHIND(int, connect, int, const struct sockaddr *, socklen_t)(fd, to, size);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    return BEHIND(int, poll, struct pollfd *, nfds_t, int)(fds, count, timeout);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    return BEHIND(ssize_t, recvmsg, int, struct msghdr *, int)(fd, message, flags);
}

uid_t getuid(void)
{
    return BEHIND(uid_t, getuid, void)();
}
