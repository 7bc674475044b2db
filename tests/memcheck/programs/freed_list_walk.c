#include "program.h"

struct node {
    struct node *next;
};

int main(void)
{
    struct node *first = NULL;

    for (int i = 0; i < 3; i++) {
        struct node *n = malloc(sizeof(*n));

        n->next = first;
        first = n;
    }
    for (struct node *n = first; n; n = n->next)
        free(n);
    return 0;
}
