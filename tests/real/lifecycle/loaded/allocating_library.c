/* Loaded and unloaded by dlopen_library_allocates.c. */
#include <stdlib.h>
#include <string.h>

static char *kept;

__attribute__((constructor)) static void load(void)
{
    kept = malloc(1000);
    if (kept)
        memset(kept, 'k', 1000);
}

__attribute__((destructor)) static void unload(void)
{
    free(kept);
}

__attribute__((visibility("default"))) char *library_copy(const char *text)
{
    return kept ? strdup(text) : NULL;
}
