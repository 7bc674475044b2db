/* What happened before anybody could listen is told whole and in order, or is not called whole. */
#include "early.h"

#include <pthread.h>
#include <unistd.h>

#include "scenario.h"

static uint32_t told[EARLY_MAX + 1], count;

static void tell(enum hak_event id, const void *event)
{
    check_eq(id, HAK_EV_thread_start);
    told[count++] = ((const struct hak_ev_thread_start *)event)->tid;
}

static bool push(uint32_t n)
{
    struct hak_ev_thread_start event = {.owner = 1, .tid = n};

    return early_push(HAK_EV_thread_start, &event, sizeof(event));
}

static struct early_event *slow;

static void *get_ready(void *unused)
{
    usleep(50000);
    slow->id = HAK_EV_thread_start;
    slow->event.thread_start.tid = 1;
    early_ready(slow);
    return unused;
}

SCENARIO(who_is_still_writing_is_waited_for_and_nobody_is_overtaken)
{
    pthread_t thread;
    bool open;

    check(push(0));
    slow = early_take(&open);
    check(slow && open);
    for (uint32_t n = 2; n < 100; n++)
        check(push(n));
    check_eq(pthread_create(&thread, NULL, get_ready, NULL), 0);
    check(early_close());
    early_replay(tell);
    pthread_join(thread, NULL);
    check_eq(count, 100);
    for (uint32_t n = 0; n < 100; n++)
        check_eq(told[n], n);
}

SCENARIO(who_never_comes_to_the_end_costs_one_event_and_the_word_whole)
{
    bool open;

    check(push(0));
    check(early_take(&open) != NULL);
    check(push(2));
    check(!early_close());
    early_replay(tell);
    check_eq(count, 2);
    check_eq(told[1], 2);
}

SCENARIO(what_comes_when_the_queue_is_closed_is_the_pushers_to_tell)
{
    check(push(0));
    check(early_close());
    check(!push(1));
    early_replay(tell);
    check_eq(count, 1);
}

SCENARIO(more_than_there_is_room_for_is_not_called_whole)
{
    for (uint32_t n = 0; n <= EARLY_MAX; n++)
        check(push(n));
    check(!early_close());
    early_replay(tell);
    check_eq(count, EARLY_MAX);
}

SCENARIO(as_many_as_there_is_room_for_are_whole)
{
    for (uint32_t n = 0; n < EARLY_MAX; n++)
        check(push(n));
    check(early_close());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_still_writing_is_waited_for_and_nobody_is_overtaken),
        cmocka_unit_test(who_never_comes_to_the_end_costs_one_event_and_the_word_whole),
        cmocka_unit_test(what_comes_when_the_queue_is_closed_is_the_pushers_to_tell),
        cmocka_unit_test(more_than_there_is_room_for_is_not_called_whole),
        cmocka_unit_test(as_many_as_there_is_room_for_are_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
