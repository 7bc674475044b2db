/* The allocator came with a library that was opened and closed again, as a Python or Lua module
 * linked with it. Threads that used it end afterwards, and processes fork. */
#include "check.h"

static pthread_barrier_t turn;
static void *(*take)(size_t);
static void (*give)(void *);

static void *use(void *held)
{
    give(take(100));
    give(take(100000));
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    return held;
}

static void open_and_close(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);
    pthread_t thread;

    CHECK(library, "%s", dlerror());
    *(void **)&take = dlsym(library, "hak_malloc");
    *(void **)&give = dlsym(library, "hak_free");
    pthread_barrier_init(&turn, NULL, 2);
    CHECK(pthread_create(&thread, NULL, use, NULL) == 0, "no thread");
    pthread_barrier_wait(&turn);
    CHECK(dlclose(library) == 0, "%s", dlerror());
    pthread_barrier_wait(&turn);
    CHECK(pthread_join(thread, NULL) == 0, "no end");
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    int status = wait_bounded(child, "the child");
    CHECK(status == 0, "status %d", status);
}

int main(int argc, char **argv)
{
    Dl_info here;
    void *found = dlsym(RTLD_DEFAULT, "hak_version");

    if (found && dladdr(found, &here)) {
        char path[4096];

        CHECK(realpath(here.dli_fname, path), "%s", strerror(errno));
        unsetenv("LD_PRELOAD");
        execv("/proc/self/exe", (char *[]){argv[0], path, NULL});
        CHECK(false, "%s", strerror(errno));
    }
    if (argc > 1)
        open_and_close(argv[1]);
    puts("it goes on");
    return 0;
}
