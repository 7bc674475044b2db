#include "../programs/program.h"

/* What one thread has freed another gets, without a lock of the program's between them. */
static void *work(void *unused)
{
    for (int i = 0; i < 500; i++) {
        size_t size = (size_t)(i * 97 % 5000 + 1);
        char *p = realloc(calloc(1, size), size + 50);

        memset(p, i, size);
        free(p);
    }
    return unused;
}

int main(void)
{
    pthread_t t[3];

    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, work, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    return 0;
}
