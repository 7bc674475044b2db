/* A signal that all threads of the program block waits for them: no other thread takes it. */
#include "check.h"

enum { ROUNDS = 12 };

int main(void)
{
    sigset_t set;
    void *held[2000] = {0};
    struct timespec pause = {0, 50000000}, patience = {HANG, 0};

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        for (size_t j = 0; j < 2000; j++) {
            free(held[j]);
            held[j] = malloc(j % 2048);
        }
        nanosleep(&pause, NULL); /* whatever runs in the background shall be running */
        int wanted = i % 2 ? SIGUSR1 : SIGTERM;
        kill(getpid(), wanted);
        int got = sigtimedwait(&set, NULL, &patience);
        CHECK(got == wanted, "%d instead of signal %d", got, wanted);
    }
    for (size_t j = 0; j < 2000; j++)
        free(held[j]);
    puts("every signal arrived");
    return 0;
}
