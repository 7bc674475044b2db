#include "../programs/program.h"

/* Threads pass blocks of all layers to each other under a lock, and free what others have made. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *slot[50];

static void *work(void *unused)
{
    for (int i = 0; i < 1500; i++) {
        size_t size = i % 100 == 0 ? 400000 : i % 10 == 0 ? 9000 : (size_t)(i % 300 + 1);
        char *mine = malloc(size), *other;

        memset(mine, i, size < 500 ? size : 500);
        pthread_mutex_lock(&lock);
        other = slot[i % 50];
        slot[i % 50] = mine;
        pthread_mutex_unlock(&lock);
        if (other)
            other[0]++;
        free(other);
    }
    return unused;
}

int main(void)
{
    for (int round = 0; round < 2; round++) {
        pthread_t t[3];

        for (int i = 0; i < 3; i++)
            pthread_create(&t[i], NULL, work, NULL);
        for (int i = 0; i < 3; i++)
            pthread_join(t[i], NULL);
    }
    for (int i = 0; i < 50; i++)
        free(slot[i]);
    return 0;
}
