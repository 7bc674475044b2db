#include "program.h"

static void *work(void *unused)
{
    be_busy(2000);
    return unused;
}

int main(void)
{
    pthread_t t[4];

    for (int i = 0; i < 4; i++)
        if (pthread_create(&t[i], NULL, work, NULL) != 0)
            abort();
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    return 0;
}
