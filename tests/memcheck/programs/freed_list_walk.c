#include "program.h"

struct node {
    struct node *next;
};

int main(void)
{
    struct node *first = NULL;
    int links = 0;

    for (int i = 0; i < 3; i++) {
        struct node *n = malloc(sizeof(*n));

        n->next = first;
        first = n;
    }
    for (struct node *n = first; n && links++ < 2; n = n->next)
        free(n);
    return 0;
}
