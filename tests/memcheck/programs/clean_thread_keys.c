#include "program.h"

static pthread_key_t key;

static void release(void *p)
{
    free(p);
    free(malloc(50));
}

static void *hold(void *p)
{
    pthread_setspecific(key, calloc(1, 100));
    return p;
}

int main(void)
{
    pthread_key_create(&key, release);
    for (int i = 0; i < 5; i++)
        run_thread(hold, NULL);
    return 0;
}
