/* The list of knobs, as `hak config` reads it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenario.h"

/* As many as knobs.def has. */
#define KNOB_INT(...) +1
#define KNOB_ENUM(...) +1
#define KNOB_CAPS(...) +1
#define KNOB_BYTES(...) +1
#define KNOB_RATIO(...) +1
#define KNOB_FAULT(...) +1
enum {
    KNOBS = 0
#include "knobs.def"
};

static void with(const char *name, const char *value)
{
    check_eq(setenv(name, value, 1), 0);
    config_init();
}

static char printed[16384];

static const char *print(void)
{
    FILE *file = tmpfile();
    ssize_t n;

    check(file != NULL);
    hak_config_print(fileno(file));
    n = pread(fileno(file), printed, sizeof(printed) - 1, 0);
    check(n > 0);
    printed[n] = '\0';
    fclose(file);
    return printed;
}

SCENARIO(the_list_of_knobs_has_five_columns_and_a_line_each)
{
    unsigned lines = 0;
    char *rest = NULL;

    config.trace = TRACE_AUTO;
    with("HAKMEM_SS_EMPTY_RECYCLE", "mark");
    with("HAKMEM_TINY_CAP", "7:96,9:5");
    check(strstr(print(), "HAKMEM_SS_EMPTY_RECYCLE\tfull\tmark\tset\t") != NULL);
    check(strstr(printed, "HAKMEM_TINY_CAP\t\t7:96,9:5\tset\t") != NULL);
    check(strstr(printed, "HAKMEM_TRACE\tauto\tauto\tdefault\t") != NULL);
    check(strstr(printed, "HAKMEM_SS_EMPTY_SCAN_LIMIT\t64\t64\tdefault\t") != NULL);
    for (char *l = strtok_r(printed, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) {
        unsigned tabs = 0;

        for (const char *c = l; *c; c++)
            tabs += *c == '\t';
        check_eq(tabs, 4);
        check_eq(strncmp(l, "HAKMEM_", 7), 0);
        lines++;
    }
    check_eq(lines, KNOBS);
}

SCENARIO(the_longest_list_of_caps_is_shown_whole)
{
    char list[512] = "";

    for (unsigned c = 0; c < CLASSES; c++)
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%u:4294967295", c ? "," : "",
                 c);
    with("HAKMEM_TINY_CAP", list);
    check_eq(config.caps[15], 4294967295u);
    check(strstr(print(), list) != NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_of_knobs_has_five_columns_and_a_line_each),
        cmocka_unit_test(the_longest_list_of_caps_is_shown_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
