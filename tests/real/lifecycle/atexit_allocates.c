/* atexit handlers allocate and free, and so does a thread that is still running then. */
#include "check.h"

static char *text;

static void *allocate_for_ever(void *arg)
{
    for (size_t i = 0; arg; i++)
        free(malloc(i % 3000));
    return NULL;
}

static void second(void)
{
    char *longer = realloc(text, 5000);

    CHECK(longer && !strcmp(longer, "from the first handler"), "'%s'", longer);
    free(longer);
    puts("second handler");
}

static void first(void)
{
    for (int i = 0; i < 20000; i++)
        free(malloc((size_t)i % 4000));
    text = strdup("from the first handler");
    puts("first handler");
}

int main(void)
{
    pthread_t id;

    CHECK(!atexit(second) && !atexit(first), "atexit refused");
    CHECK(pthread_create(&id, NULL, allocate_for_ever, &text) == 0, "no thread");
    pthread_detach(id);
    return 0;
}
