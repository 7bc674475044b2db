/* dlopen() of a name finds what the search path of the library that calls it leads to, and $ORIGIN
 * is that library's place: whoever stands between the caller and the loader does not change it. */
#include <limits.h>

#include "check.h"

static void lay_out(void)
{
    char self[PATH_MAX], command[2 * PATH_MAX + 200];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    CHECK(n > 0, "%s", strerror(errno));
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(command, sizeof command,
             "mkdir -p plain/beside && cp '%s/calling_library.so' plain/ && "
             "cp '%s/allocating_library.so' plain/beside/only_here.so",
             self, self);
    CHECK(system(command) == 0, "no files");
}

int main(void)
{
    void *(*open_by)(const char *, int), *(*open_in)(Lmid_t, const char *, int);
    void *caller, *found;

    lay_out();
    caller = dlopen("plain/calling_library.so", RTLD_NOW);
    CHECK(caller, "%s", dlerror());
    *(void **)&open_by = dlsym(caller, "calling_open");
    *(void **)&open_in = dlsym(caller, "calling_open_in");
    CHECK(!dlopen("only_here.so", RTLD_NOW), "found by the program, whose path it is not on");
    CHECK(!dlmopen(LM_ID_BASE, "only_here.so", RTLD_NOW), "found by the program");
    CHECK(strstr(dlerror(), "only_here.so"), "another error");
    for (int mode = RTLD_NOW; mode <= (RTLD_NOW | RTLD_DEEPBIND); mode += RTLD_DEEPBIND) {
        found = open_by("only_here.so", mode);
        CHECK(found, "%s", dlerror());
        dlclose(found);
        found = open_by("$ORIGIN/beside/only_here.so", mode);
        CHECK(found, "%s", dlerror());
        dlclose(found);
        found = open_in(LM_ID_BASE, "only_here.so", mode);
        CHECK(found, "%s", dlerror());
        dlclose(found);
    }
    found = open_in(LM_ID_NEWLM, "only_here.so", RTLD_NOW);
    CHECK(found, "%s", dlerror());
    puts("found where they lie");
    return 0;
}
