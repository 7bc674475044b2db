/* Lines on stderr: whole, cut where too long, bounded in number. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "scenario.h"

SCENARIO(a_line_comes_out_as_written)
{
    log_line("%s %d %lu 0x%x\n", "text", -5, 7ul, 0xa6u);
    check_eq(strcmp(said(), "text -5 7 0xa6\n"), 0);
}

SCENARIO(a_line_goes_to_the_copy_of_stderr_it_is_sent_to)
{
    int copy = dup(STDERR_FILENO);

    close(STDERR_FILENO);
    log_to(copy, "to a %s\n", "copy");
    dup2(copy, STDERR_FILENO);
    check_eq(strcmp(said(), "to a copy\n"), 0);
}

/* Whatever has stderr's number now, a pipe here, gets nothing. */
static void take_the_number(int number)
{
    char text[16];
    int ends[2];

    check_eq(pipe2(ends, O_NONBLOCK), 0);
    check_eq(dup2(ends[1], number), number);
    log_to(number, "not for the program's pipe\n");
    check_eq(read(ends[0], text, sizeof(text)), -1);
    check_eq(errno, EAGAIN);
}

SCENARIO(no_line_goes_into_what_took_over_a_closed_descriptor)
{
    int kept = dup(STDERR_FILENO), copy = dup(STDERR_FILENO);

    take_the_number(copy);
    take_the_number(STDERR_FILENO);
    dup2(kept, STDERR_FILENO);
    check_eq(strlen(said()), 0);
    log_line("and again\n");
    check_eq(strcmp(said(), "and again\n"), 0);
}

SCENARIO(a_process_that_began_without_stderr_never_writes_to_descriptor_2)
{
    int kept = dup(STDERR_FILENO);

    close(STDERR_FILENO);
    log_begin();
    check_eq(open("/dev/null", O_RDWR), STDERR_FILENO);
    take_the_number(STDERR_FILENO);
    dup2(kept, STDERR_FILENO);
}

SCENARIO(lines_up_to_the_limit_are_whole_and_longer_ones_cut_at_a_line_end)
{
    static const unsigned lengths[] = {
        0, 1, LOG_LINE_MAX - 3, LOG_LINE_MAX - 2, LOG_LINE_MAX - 1, 512, 513, 4000};
    static char text[5000];
    size_t before = 0;

    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t whole = lengths[i] + 1, length;

        memset(text, 'x', lengths[i]);
        text[lengths[i]] = '\0';
        log_line("%s\n", text);
        length = strlen(said()) - before;
        check_eq(length, whole < LOG_LINE_MAX ? whole : LOG_LINE_MAX - 1);
        check_eq(said()[before + length - 1], '\n');
        before += length;
    }
    check_eq(said_times("\n"), sizeof(lengths) / sizeof(lengths[0]));
}

SCENARIO(errno_is_left_alone_even_when_nothing_can_be_written)
{
    int saved_stderr = dup(STDERR_FILENO);

    errno = EXDEV;
    log_line("a line\n");
    check_eq(errno, EXDEV);
    log_to(-1, "a line for nobody\n");
    check_eq(errno, EXDEV);
    close(STDERR_FILENO);
    errno = EXDEV;
    log_line("no stderr\n");
    dup2(saved_stderr, STDERR_FILENO);
    check_eq(errno, EXDEV);
    check_eq(strcmp(said(), "a line\n"), 0);
}

SCENARIO(a_full_pipe_that_does_not_block_gets_what_fits)
{
    static char big[1 << 17];
    int ends[2];

    check_eq(pipe2(ends, O_NONBLOCK), 0);
    memset(big, 'x', sizeof(big));
    errno = 0;
    log_write(ends[1], big, sizeof(big));
    check_eq(errno, 0);
    check_eq(read(ends[0], big, sizeof(big)), 65536);
}

SCENARIO(the_first_eight_are_worth_a_line_then_every_power_of_two)
{
    unsigned worth = 0;

    for (uint64_t n = 0; n < 8; n++)
        check(log_worth(n));
    check(!log_worth(9));
    check(log_worth(16));
    check(!log_worth(17));
    check(log_worth((uint64_t)1 << 63));
    for (uint64_t n = 0; n < 1000000; n++)
        worth += log_worth(n);
    /* 0..7, then 8, 16, ... 524,288. */
    check_eq(worth, 8 + 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_comes_out_as_written),
        cmocka_unit_test(a_line_goes_to_the_copy_of_stderr_it_is_sent_to),
        cmocka_unit_test(no_line_goes_into_what_took_over_a_closed_descriptor),
        cmocka_unit_test(a_process_that_began_without_stderr_never_writes_to_descriptor_2),
        cmocka_unit_test(lines_up_to_the_limit_are_whole_and_longer_ones_cut_at_a_line_end),
        cmocka_unit_test(errno_is_left_alone_even_when_nothing_can_be_written),
        cmocka_unit_test(a_full_pipe_that_does_not_block_gets_what_fits),
        cmocka_unit_test(the_first_eight_are_worth_a_line_then_every_power_of_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
