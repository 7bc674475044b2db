#include "program.h"

struct node {
    struct node *next, *other;
    char data[40];
};

static struct node *make(int depth)
{
    struct node *n = depth ? calloc(1, sizeof(*n)) : NULL;

    if (n) {
        n->next = make(depth - 1);
        n->other = make(depth - 1);
    }
    return n;
}

int main(void)
{
    make(5);
    return 0;
}
