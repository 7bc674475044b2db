/*
 * The gate before a relay daemon, which asks nobody who he is: preloaded into it, it lets in over
 * TCP those only whose sockets belong to the user that the daemon runs as, or to root. Others find
 * that the connection is closed at once.
 * Owns nothing; called by any thread of the daemon's that accepts.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKETS "/proc/net/tcp"
/* The table is read in parts: a row that moves meanwhile can be missed. */
#define LOOKS 3
/* Its name for a connection that is open on the side of the row. */
#define ESTABLISHED 1

struct end {
    uint32_t address; /* as in the kernel */
    unsigned port;
};

static bool end_of(int (*ask)(int, struct sockaddr *, socklen_t *), int fd, struct end *end)
{
    struct sockaddr_in in = {0};
    socklen_t length = sizeof(in);

    if (ask(fd, (struct sockaddr *)&in, &length) != 0 || in.sin_family != AF_INET)
        return false;
    *end = (struct end){in.sin_addr.s_addr, ntohs(in.sin_port)};
    return true;
}

/* Whose socket is connected from there to here? A socket that its process has closed is nobody's,
 * but the table gives it to root. */
static bool owner(const struct end *there, const struct end *here, uid_t *uid)
{
    FILE *table = fopen(SOCKETS, "re");
    char line[512];
    bool found = false;

    while (table && !found && fgets(line, sizeof(line), table)) {
        struct end from, to;
        unsigned state;
        unsigned long user, inode;

        if (sscanf(line, " %*d: %" SCNx32 ":%x %" SCNx32 ":%x %x %*x:%*x %*x:%*x %*x %lu %*d %lu",
                   &from.address, &from.port, &to.address, &to.port, &state, &user, &inode) != 7)
            continue;
        if (from.address != there->address || from.port != there->port ||
            to.address != here->address || to.port != here->port)
            continue;
        found = state == ESTABLISHED && inode != 0;
        *uid = (uid_t)user;
    }
    if (table)
        fclose(table);
    return found;
}

static bool is_ours(int fd)
{
    struct end there, here;
    uid_t uid;

    if (!end_of(getpeername, fd, &there) || !end_of(getsockname, fd, &here))
        return false;
    for (int look = 0; look < LOOKS; look++)
        if (owner(&there, &here, &uid))
            return uid == geteuid() || uid == 0;
    return false;
}

static bool over_tcp(int fd)
{
    int domain = AF_INET;
    socklen_t length = sizeof(domain);

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0 || domain != AF_UNIX;
}

/* The daemon ends when accepting fails, so that it gets a socket at whose end it already is. What
 * has come over the other one is not to be read: it could not be taken back by a shutdown. */
static int turned_away(int fd)
{
    int dead = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = dead < 0 ? -1 : dup3(dead, fd, 0);

    if (dead >= 0)
        close(dead);
    if (result < 0)
        close(fd);
    return result;
}

__attribute__((visibility("default"))) int accept(int listener, struct sockaddr *address,
                                                  socklen_t *length)
{
    int (*real)(int, struct sockaddr *, socklen_t *) = dlsym(RTLD_NEXT, "accept");
    int fd = real(listener, address, length);
    int err = errno;

    if (fd >= 0 && over_tcp(fd) && !is_ours(fd))
        return turned_away(fd);
    errno = err;
    return fd;
}
