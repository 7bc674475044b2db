/* One thread writes to a block that another frees, and nothing orders the two. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static char *volatile shared;

static void *give_back(void *unused)
{
    sleep(1);
    free(shared);
    return unused;
}

int main(void)
{
    pthread_t thread;

    shared = malloc(100);
    pthread_create(&thread, NULL, give_back, NULL);
    shared[50] = 1;
    pthread_join(thread, NULL);
    return 0;
}
