#include "../programs/program.h"

/* Two threads write to a block of every layer, and nothing orders them; both allocate meanwhile. */
static int *shared[4];

static void *work(void *unused)
{
    be_busy(300);
    for (int i = 0; i < 4; i++)
        shared[i][1]++;
    be_busy(300);
    return unused;
}

int main(void)
{
    pthread_t t[2];

    for (int i = 0; i < 4; i++)
        shared[i] = calloc(1, (size_t)100 << 5 * i);
    for (int i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, work, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < 4; i++)
        free(shared[i]);
    return 0;
}
