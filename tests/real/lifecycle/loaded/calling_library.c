/* Opens what only its own search path leads to: by a call, not by a jump, which would make it the
 * program's. */
#include <dlfcn.h>

void *calling_open(const char *name, int mode);

void *calling_open(const char *name, int mode)
{
    void *volatile found = dlopen(name, mode);

    return found;
}

void *calling_open_in(Lmid_t space, const char *name, int mode);

void *calling_open_in(Lmid_t space, const char *name, int mode)
{
    void *volatile found = dlmopen(space, name, mode);

    return found;
}
