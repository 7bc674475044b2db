#include "program.h"

/* Many of each, among others that are freed. */
int main(void)
{
    static void *kept[100];

    for (int i = 0; i < 1000; i++) {
        void *p = malloc((size_t)(i % 50 + 1));

        if (i % 10 == 0)
            kept[i / 10] = p;
        else if (i % 3)
            free(p);
    }
    return 0;
}
