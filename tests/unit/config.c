/* The knobs: what is read, what is refused, what is said about it. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"
#include "scenario.h"

/* Reads the environment as the constructor does. */
static void read_again(void)
{
    config_init();
    config_warn();
}

static void with(const char *name, const char *value)
{
    check_eq(setenv(name, value, 1), 0);
    read_again();
}

struct number_knob {
    const char *name;
    const uint32_t *field;
    uint32_t dflt, low, high;
};

/* dflt, low, high as a user reads them in the table of knobs. */
static const struct number_knob numbers[] = {
    {"HAKMEM_TINY_USE_SUPERSLAB", &config.use_superslab, 1, 0, 1},
    {"HAKMEM_TINY_CLASSES", &config.classes, 16, 8, 16},
    {"HAKMEM_SS_LG", &config.ss_lg, 0, 0, 21},
    {"HAKMEM_SS_EMPTY_REUSE", &config.empty_reuse, 1, 0, 1},
    {"HAKMEM_SS_EMPTY_SCAN_LIMIT", &config.scan_limit, 64, 0, 1000000},
    {"HAKMEM_SS_ACQUIRE_DEBUG", &config.log_acquire, 0, 0, 1},
    {"HAKMEM_SS_FREE_DEBUG", &config.log_free, 0, 0, 1},
    {"HAKMEM_SUPER_REG_DEBUG", &config.log_registry, 0, 0, 1},
    {"HAKMEM_SS_MAP_TRACE", &config.log_map, 0, 0, 1},
    {"HAKMEM_ACE_TRACE", &config.log_ace, 0, 0, 1},
    {"HAKMEM_SHARED_POOL_STAGE_STATS", &config.stage_stats, 0, 0, 1},
    {"HAKMEM_SHARED_POOL_LOCK_STATS", &config.lock_stats, 0, 0, 1},
};

#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

/* The scenario's helper has set two fields; the file's own defaults again. */
static void defaults(void)
{
    config.ss_lg = 0;
    config.trace = TRACE_AUTO;
}

SCENARIO(every_number_takes_its_bounds_and_defaults)
{
    defaults();
    for (unsigned i = 0; i < NUMBERS; i++) {
        const struct number_knob *k = &numbers[i];
        char text[16];

        check_eq(*k->field, k->dflt);
        with(k->name, "");
        check_eq(*k->field, k->dflt);
        snprintf(text, sizeof(text), "%u", k->high);
        with(k->name, text);
        check_eq(*k->field, k->high);
        snprintf(text, sizeof(text), "%u", k->low);
        with(k->name, text);
        check_eq(*k->field, k->low);
    }
    check_eq(strlen(said()), 0);
}

SCENARIO(no_number_takes_what_is_none_or_out_of_bounds)
{
    static const char *const bad[] = {"x",   "1x", " 1",  "-1",         "+1",
                                      "0x1", "1 ", "1.0", "4294967296", "99999999999999999999"};
    unsigned warnings = 0;

    defaults();
    for (unsigned i = 0; i < NUMBERS; i++) {
        char above[16];

        for (unsigned j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
            with(numbers[i].name, bad[j]);
            check_eq(*numbers[i].field, numbers[i].dflt);
            check_eq(said_times("is not usable, the default holds"), ++warnings);
        }
        snprintf(above, sizeof(above), "%u", numbers[i].high + 1);
        with(numbers[i].name, above);
        check_eq(*numbers[i].field, numbers[i].dflt);
        check_eq(said_times("is not usable, the default holds"), ++warnings);
        unsetenv(numbers[i].name);
    }
    check_eq(said_times("\n"), warnings);
}

SCENARIO(the_two_ranges_with_holes_refuse_what_lies_in_them)
{
    defaults();
    for (unsigned n = 1; n < 19; n++) {
        char text[16];

        snprintf(text, sizeof(text), "%u", n);
        with("HAKMEM_SS_LG", text);
        check_eq(config.ss_lg, 0);
    }
    with("HAKMEM_SS_LG", "19");
    check_eq(config.ss_lg, 19);
    with("HAKMEM_TINY_CLASSES", "12");
    check_eq(config.classes, 16);
    check_eq(said_times("hakmem: HAKMEM_TINY_CLASSES=12 is not usable"), 1);
    with("HAKMEM_TINY_CLASSES", "8");
    check_eq(config.classes, 8);
}

SCENARIO(words_are_taken_as_spelt_and_no_others)
{
    defaults();
    with("HAKMEM_SS_EMPTY_RECYCLE", "mark");
    check_eq(config.recycle, RECYCLE_MARK);
    with("HAKMEM_SS_EMPTY_RECYCLE", "off");
    check_eq(config.recycle, RECYCLE_OFF);
    with("HAKMEM_SS_EMPTY_RECYCLE", "full");
    check_eq(config.recycle, RECYCLE_FULL);
    with("HAKMEM_TRACE", "1");
    check_eq(config.trace, TRACE_NOW);
    with("HAKMEM_TRACE", "0");
    check_eq(config.trace, TRACE_NEVER);
    with("HAKMEM_TRACE", "auto");
    check_eq(config.trace, TRACE_AUTO);
    check_eq(strlen(said()), 0);
    with("HAKMEM_TRACE", "2");
    check_eq(config.trace, TRACE_AUTO);
    check_eq(said_times("HAKMEM_TRACE=2 is not usable"), 1);
    with("HAKMEM_SS_EMPTY_RECYCLE", "FULL");
    check_eq(said_times("HAKMEM_SS_EMPTY_RECYCLE=FULL is not usable"), 1);
}

SCENARIO(caps_are_a_list_of_class_and_slabs)
{
    with("HAKMEM_TINY_CAP", "7:96");
    check_eq(config.caps[7], 96);
    with("HAKMEM_TINY_CAP", "0:2,15:4294967295,7:0");
    check_eq(config.caps[0], 2);
    check_eq(config.caps[15], 4294967295u);
    check_eq(config.caps[7], 0);
    for (unsigned c = 1; c < 15; c++)
        check_eq(config.caps[c], 0);
    check_eq(strlen(said()), 0);
}

SCENARIO(a_damaged_list_of_caps_changes_nothing)
{
    static const char *const bad[] = {"7",    "7:",      ":96",  "7:96,", "7:96,8",       "16:1",
                                      "7:x",  "7:1;8:1", "7=96", ",7:96", "7:4294967296", "-1:5",
                                      "7:96 "};
    unsigned n = sizeof(bad) / sizeof(bad[0]);

    for (unsigned i = 0; i < n; i++) {
        with("HAKMEM_TINY_CAP", bad[i]);
        for (unsigned c = 0; c < CLASSES; c++)
            check_eq(config.caps[c], 0);
    }
    check_eq(said_times("hakmem: HAKMEM_TINY_CAP="), n);
    check_eq(said_times("\n"), n);
}

SCENARIO(unknown_names_get_a_line_each_and_others_none)
{
    setenv("HAKMEM_TINY_CAPS", "7:1", 1);
    setenv("HAKMEM_", "", 1);
    setenv("HAKMEM", "1", 1);
    setenv("XHAKMEM_TRACE", "1", 1);
    read_again();
    check_eq(said_times("hakmem: unknown knob HAKMEM_TINY_CAPS ignored"), 1);
    check_eq(said_times("hakmem: unknown knob HAKMEM_ ignored"), 1);
    check_eq(said_times("\n"), 2);
}

SCENARIO(a_ratio_has_two_digits_behind_the_point)
{
    static const char *const bad[] = {"0.99", "1.333", "1,2", "x",   "-1",
                                      "1.x",  "101",   ".5",  "1.2 "};

    with("HAKMEM_ACE_WMAX", "1.05");
    check_eq(config.ace_wmax, 105);
    with("HAKMEM_ACE_WMAX", "2.5");
    check_eq(config.ace_wmax, 250);
    with("HAKMEM_ACE_WMAX", "1");
    check_eq(config.ace_wmax, 100);
    with("HAKMEM_ACE_WMAX", "1.");
    check_eq(config.ace_wmax, 100);
    check_eq(strlen(said()), 0);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        with("HAKMEM_ACE_WMAX", bad[i]);
        check_eq(config.ace_wmax, 100);
        check_eq(said_times("hakmem: HAKMEM_ACE_WMAX="), i + 1);
    }
}

SCENARIO(bytes_take_a_suffix)
{
    static const char *const bad[] = {"x", "-1", "K", "1k", "1KB", "1T", "1 M", "17179869184G"};

    with("HAKMEM_ACE_MID_CAP", "5000");
    check_eq(config.ace_mid_cap, 5000);
    with("HAKMEM_ACE_MID_CAP", "12K");
    check_eq(config.ace_mid_cap, 12 << 10);
    with("HAKMEM_ACE_MID_CAP", "7M");
    check_eq(config.ace_mid_cap, 7 << 20);
    with("HAKMEM_ACE_LARGE_CAP", "6G");
    check_eq(config.ace_large_cap, 6ull << 30);
    with("HAKMEM_ACE_LARGE_CAP", "0");
    check_eq(config.ace_large_cap, 0);
    check_eq(strlen(said()), 0);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        with("HAKMEM_ACE_MID_CAP", bad[i]);
        check_eq(config.ace_mid_cap, 7 << 20);
        check_eq(said_times("hakmem: HAKMEM_ACE_MID_CAP="), i + 1);
    }
}

SCENARIO(faults_are_the_nth_from_the_nth_on_or_a_share)
{
    static const char *const bad[] = {"x", "0", "0+", "-1", "101%", "3++", "3%+", "+", "%", "5 %"};

    with("HAKMEM_FAIL_MAP", "3");
    check_eq(config.fail_map, os_fault(OS_FAULT_NTH, 3));
    with("HAKMEM_FAIL_MAP", "12+");
    check_eq(config.fail_map, os_fault(OS_FAULT_FROM, 12));
    with("HAKMEM_FAIL_MAP", "50%");
    check_eq(config.fail_map, os_fault(OS_FAULT_SHARE, 50));
    check_eq(strlen(said()), 0);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        with("HAKMEM_FAIL_MAP", bad[i]);
        check_eq(config.fail_map, os_fault(OS_FAULT_SHARE, 50));
        check_eq(said_times("hakmem: HAKMEM_FAIL_MAP="), i + 1);
    }
}

SCENARIO(a_process_without_an_environment_gets_the_defaults)
{
    defaults();
    clearenv();
    read_again();
    check_eq(config.scan_limit, 64);
    check_eq(strlen(said()), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_takes_its_bounds_and_defaults),
        cmocka_unit_test(no_number_takes_what_is_none_or_out_of_bounds),
        cmocka_unit_test(the_two_ranges_with_holes_refuse_what_lies_in_them),
        cmocka_unit_test(words_are_taken_as_spelt_and_no_others),
        cmocka_unit_test(caps_are_a_list_of_class_and_slabs),
        cmocka_unit_test(a_damaged_list_of_caps_changes_nothing),
        cmocka_unit_test(unknown_names_get_a_line_each_and_others_none),
        cmocka_unit_test(a_ratio_has_two_digits_behind_the_point),
        cmocka_unit_test(bytes_take_a_suffix),
        cmocka_unit_test(faults_are_the_nth_from_the_nth_on_or_a_share),
        cmocka_unit_test(a_process_without_an_environment_gets_the_defaults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
