/* The main thread may end before others: they go on with its blocks, and exit runs there. */
#include "check.h"

static unsigned char *blocks[1000];
static pthread_t main_thread;

static void farewell(void)
{
    puts("exit handlers ran");
}

static void *go_on(void *arg)
{
    pthread_join(main_thread, NULL);
    for (size_t i = 0; i < 1000; i++) {
        CHECK(holds(blocks[i], i * 5, 0x12), "a block of the main thread changed");
        blocks[i] = realloc(blocks[i], i * 6 + 1);
        CHECK(blocks[i], "NULL");
        free(blocks[i]);
    }
    puts("others went on");
    return arg;
}

int main(void)
{
    pthread_t id;

    main_thread = pthread_self();
    atexit(farewell);
    for (size_t i = 0; i < 1000; i++) {
        blocks[i] = malloc(i * 5);
        CHECK(blocks[i], "NULL");
        fill(blocks[i], i * 5, 0x12);
    }
    CHECK(pthread_create(&id, NULL, go_on, NULL) == 0, "no thread");
    pthread_detach(id);
    pthread_exit(NULL);
}
