/* Functions are found where they are looked for, whatever lies over them. */
#include "symbols.h"

#include <dlfcn.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "os.h"
#include "scenario.h"

/* The program's own, which the loader prefers to the C library's. */
int isatty(int fd)
{
    return fd + 42;
}

SCENARIO(a_function_of_the_c_library_is_found_under_anothers)
{
    int (*found)(int) = (int (*)(int))symbols_libc("isatty");

    check(found != NULL);
    check(found != isatty);
    check_eq(found(-1), 0);
    check_eq(isatty(-1), 41);
}

SCENARIO(what_the_loader_finds_in_the_c_library_is_found)
{
    static const char *const names[] = {"pthread_create", "malloc", "close", "fork", "strerror"};
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        check_eq((uintptr_t)symbols_libc(names[i]), (uintptr_t)dlsym(libc, names[i]));
}

SCENARIO(what_is_not_there_is_not_found)
{
    check(symbols_libc("hak_no_such_function") == NULL);
    check(symbols_vdso("hak_no_such_function") == NULL);
    check(symbols_libc("") == NULL);
}

SCENARIO(the_clock_goes_with_the_kernels)
{
    struct timespec before, after;
    uint64_t now;

    clock_gettime(CLOCK_MONOTONIC, &before);
    now = os_now_ns();
    clock_gettime(CLOCK_MONOTONIC, &after);
    check(now >= (uint64_t)before.tv_sec * 1000000000u + (uint64_t)before.tv_nsec);
    check(now <= (uint64_t)after.tv_sec * 1000000000u + (uint64_t)after.tv_nsec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_of_the_c_library_is_found_under_anothers),
        cmocka_unit_test(what_the_loader_finds_in_the_c_library_is_found),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(the_clock_goes_with_the_kernels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
