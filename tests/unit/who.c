/* Who a process says it is. */
#include "who.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

/* As another reader of /proc tells: ps counts ticks from boot to the start as well. */
static uint64_t started_by_ps(void)
{
    char command[100];
    unsigned long long ticks = 0;
    FILE *from;

    snprintf(command, sizeof(command), "sed 's/.*)//' /proc/%d/stat | awk '{print $20}'",
             (int)getpid());
    from = popen(command, "r");
    check(from && fscanf(from, "%llu", &ticks) == 1);
    (void)pclose(from);
    return ticks;
}

SCENARIO(a_process_knows_its_name_its_parent_and_when_it_was_started)
{
    struct who who;

    prctl(PR_SET_NAME, "first");
    errno = ENOTTY;
    who_look(&who);
    check_eq(errno, ENOTTY);
    check_eq(strcmp(who.name, "first"), 0);
    check_eq(who.parent, getppid());
    check_eq(who.started, started_by_ps());
    check(strstr(who.command, "/who") != NULL);
}

static void *look_from_another(void *who)
{
    prctl(PR_SET_NAME, "other");
    who_look(who);
    return NULL;
}

SCENARIO(whichever_thread_asks_the_name_is_the_first_ones)
{
    struct who who;
    pthread_t thread;

    prctl(PR_SET_NAME, ") (9) ");
    check_eq(pthread_create(&thread, NULL, look_from_another, &who), 0);
    pthread_join(thread, NULL);
    check_eq(strcmp(who.name, ") (9) "), 0);
    check_eq(who.started, started_by_ps());
}

/* What a process says that was executed with these arguments. */
static void command_of(char *const argv[], char *to, size_t size)
{
    int ends[2];
    ssize_t n;
    pid_t child;

    check_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        execv("/proc/self/exe", argv);
        _exit(1);
    }
    close(ends[1]);
    n = read(ends[0], to, size - 1);
    to[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    waitpid(child, NULL, 0);
}

SCENARIO(the_command_line_is_told_with_its_arguments_and_no_longer_than_it_may_be)
{
    char said[1000], wide[401] = "", *const some[] = {"-tell", "a  b", "", "c ", NULL};
    char *const many[] = {"-tell", wide, NULL}, *const none[] = {"-tell", NULL};

    command_of(some, said, sizeof(said));
    check_eq(strcmp(said, "-tell a  b  c"), 0);
    command_of(none, said, sizeof(said));
    check_eq(strcmp(said, "-tell"), 0);
    memset(wide, 'w', 400);
    command_of(many, said, sizeof(said));
    check_eq(strlen(said), WHO_COMMAND - 1);
    check_eq(strcmp(said + WHO_COMMAND - 6, "ww..."), 0);
    wide[WHO_COMMAND - 1 - 6] = '\0';
    command_of(many, said, sizeof(said));
    check_eq(strlen(said), WHO_COMMAND - 1);
    check_eq(said[WHO_COMMAND - 2], 'w');
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_knows_its_name_its_parent_and_when_it_was_started),
        cmocka_unit_test(whichever_thread_asks_the_name_is_the_first_ones),
        cmocka_unit_test(the_command_line_is_told_with_its_arguments_and_no_longer_than_it_may_be),
    };

    if (argc && strcmp(argv[0], "-tell") == 0) {
        struct who who;

        who_look(&who);
        fputs(who.command, stdout);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
