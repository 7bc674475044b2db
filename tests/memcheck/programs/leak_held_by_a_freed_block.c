#include "program.h"

int main(void)
{
    static void **holder;

    holder = malloc(sizeof(*holder));
    *holder = malloc(77);
    free(holder);
    return 0;
}
