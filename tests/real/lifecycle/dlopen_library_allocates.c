/* A block that a library allocated is still good, and freed as usual, after its dlclose. */
#include <dlfcn.h>

#include "check.h"

int main(int argc, char **argv)
{
    char path[4096], *copies[50], *slash = strrchr(argv[0], '/');

    CHECK(argc == 1 && slash, "'%s' tells no directory", argv[0]);
    snprintf(path, sizeof path, "%.*s/allocating_library.so", (int)(slash - argv[0]), argv[0]);
    for (int i = 0; i < 50; i++) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        CHECK(library, "%s", dlerror());
        char *(*copy)(const char *) = (char *(*)(const char *))dlsym(library, "library_copy");
        CHECK(copy, "%s", dlerror());
        copies[i] = copy("a text that outlives its library");
        CHECK(copies[i], "NULL from the library's strdup");
        CHECK(dlclose(library) == 0, "%s", dlerror());
    }
    CHECK(!dlopen("./no-such-library.so", RTLD_NOW) && dlerror(), "no error");
    for (int i = 0; i < 50; i++) {
        CHECK(!strcmp(copies[i], "a text that outlives its library"), "'%s'", copies[i]);
        free(copies[i]);
    }
    puts("50 libraries came, allocated and went");
    return 0;
}
