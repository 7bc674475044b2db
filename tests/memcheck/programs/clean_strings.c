#include "program.h"

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen("/proc/self/maps", "r");

    while (getline(&line, &room, file) > 0)
        free(strndup(line, 30));
    free(line);
    fclose(file);
    return 0;
}
