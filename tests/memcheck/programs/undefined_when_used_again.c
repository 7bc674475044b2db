#include "program.h"

/* Memory that was defined once is not when it is handed out again. */
int main(void)
{
    char *p;

    for (int i = 0; i < 30; i++) {
        p = malloc(1 << 20);
        memset(p, 1, 1 << 20);
        free(p);
    }
    p = malloc(1 << 20);
    if (p[12345])
        sink = 1;
    free(p);
    return 0;
}
