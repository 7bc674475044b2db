/* A plug-in opened with RTLD_DEEPBIND, as php, Apache and samba open theirs, has the program's
 * malloc: blocks cross both ways. */
#include <libgen.h>
#include <malloc.h>

#include "check.h"

static char *path_of(const char *name)
{
    static char path[4096 + 64];
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    CHECK(n > 0, "%s", strerror(errno));
    self[n] = '\0';
    snprintf(path, sizeof path, "%s/%s", dirname(self), name);
    return path;
}

static void exchange(void *plugin)
{
    char *(*make)(size_t);
    void *(*grow)(void *, size_t);
    void (*give)(void *);

    *(void **)&make = dlsym(plugin, "giving_make");
    *(void **)&grow = dlsym(plugin, "giving_grow");
    *(void **)&give = dlsym(plugin, "giving_free");
    for (size_t size = 1; size < 3000000; size = size * 3 / 2 + 1) {
        char *p = make(size);

        CHECK(malloc_usable_size(p) >= size, "%zu of %zu usable", malloc_usable_size(p), size);
        p = realloc(p, size + 50);
        CHECK(holds(p, size, 'p'), "other bytes of %zu", size);
        free(p);
        p = malloc(size);
        fill(p, size, 'm');
        p = grow(p, size + 50);
        CHECK(holds(p, size, 'm'), "other bytes of %zu", size);
        give(p);
    }
}

int main(void)
{
    char *path = path_of("giving_library.so");
    void *plugin = dlopen(path, RTLD_NOW | RTLD_DEEPBIND);

    CHECK(plugin, "%s", dlerror());
    exchange(plugin);
    dlclose(plugin);
    plugin = dlmopen(LM_ID_BASE, path, RTLD_LAZY | RTLD_DEEPBIND);
    CHECK(plugin, "%s", dlerror());
    exchange(plugin);
    puts("blocks crossed");
    return 0;
}
