/* Ends with a status that is not defined, in _exit() itself. */
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
    volatile int *status = malloc(sizeof(*status));

    _exit(*status - *status);
}
