/* fork and exec from a threaded program: the executed program starts afresh and allocates. */
#include "check.h"

enum { EXECS = 50 };

static _Atomic bool stop;

static void *allocate_busily(void *arg)
{
    (void)arg;
    for (size_t i = 0; !stop; i++)
        free(malloc(i % 5000));
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t id;

    if (argc > 1) {
        char *copy = strdup(argv[1]);
        bool same = copy && !strcmp(copy, "executed");
        free(copy);
        return same ? 7 : 1;
    }
    CHECK(pthread_create(&id, NULL, allocate_busily, NULL) == 0, "no thread");
    for (int i = 0; i < EXECS; i++) {
        char *word = strdup("executed");
        pid_t pid = fork();

        CHECK(pid >= 0, "fork: %s", strerror(errno));
        if (pid == 0) {
            char *arguments[] = {argv[0], word, NULL};
            execv(argv[0], arguments);
            _exit(127);
        }
        int status = wait_bounded(pid, "the executed program");
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7, "wait status 0x%x", status);
        free(word);
    }
    stop = true;
    pthread_join(id, NULL);
    puts("50 programs executed");
    return 0;
}
