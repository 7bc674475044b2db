#include "../programs/program.h"

/* Two locks in blocks, taken in both orders. */
int main(void)
{
    pthread_mutex_t *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b));

    pthread_mutex_init(a, NULL);
    pthread_mutex_init(b, NULL);
    pthread_mutex_lock(a);
    pthread_mutex_lock(b);
    pthread_mutex_unlock(b);
    pthread_mutex_unlock(a);
    pthread_mutex_lock(b);
    pthread_mutex_lock(a);
    pthread_mutex_unlock(a);
    pthread_mutex_unlock(b);
    pthread_mutex_destroy(a);
    pthread_mutex_destroy(b);
    free(a);
    free(b);
    return 0;
}
