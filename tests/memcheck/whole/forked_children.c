/* Children with errors and leaks end with what they say. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void child(int status)
{
    volatile char *p = malloc(40);

    if (status != 7)
        p[40] = 1;
    p = NULL;
    status % 2 ? exit(status) : _exit(status);
}

int main(void)
{
    for (int status = 4; status < 8; status++) {
        int ended;
        pid_t pid = fork();

        if (pid == 0)
            child(status);
        waitpid(pid, &ended, 0);
        fprintf(stderr, "told %d, ended with %d\n", status, WEXITSTATUS(ended));
    }
    return 0;
}
