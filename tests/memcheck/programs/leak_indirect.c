#include "program.h"

struct node {
    struct node *next, *other;
    char data[40];
};

int main(void)
{
    static struct node *first;

    first = calloc(1, sizeof(*first));
    first->next = calloc(1, sizeof(*first));
    first->next->next = calloc(1, 5000);
    first = NULL;
    return 0;
}
