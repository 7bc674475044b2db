#include "program.h"

struct node {
    struct node *next, *other;
    char data[40];
};

int main(void)
{
    static char *kept;
    struct node *n = calloc(1, sizeof(*n));

    n->next = calloc(1, sizeof(*n));
    kept = n->data;
    n = NULL;
    return 0;
}
