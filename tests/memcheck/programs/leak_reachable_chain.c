#include "program.h"

struct node {
    struct node *next, *other;
    char data[40];
};

int main(void)
{
    static struct node *kept;

    kept = calloc(1, sizeof(*kept));
    kept->next = calloc(1, 3000);
    kept->next->next = calloc(1, 2 << 20);
    return 0;
}
