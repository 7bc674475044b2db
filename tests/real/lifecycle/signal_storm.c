/* Signals that arrive inside malloc and free, with handlers that do not allocate, do no harm. */
#include "check.h"

enum { PAIRS = 2000000, SLOTS = 128, SIGNALS_WANTED = 200 };

static _Atomic long seen;

static void handler(int number)
{
    (void)number;
    seen++;
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct itimerspec often = {.it_interval = {0, 200000}, .it_value = {0, 200000}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    unsigned char *slots[SLOTS] = {0};
    size_t sizes[SLOTS] = {0};
    uint32_t random = 42;
    timer_t timer;

    sigaction(SIGUSR1, &action, NULL);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "%s", strerror(errno));
    CHECK(timer_settime(timer, 0, &often, NULL) == 0, "%s", strerror(errno));
    for (long i = 0; i < PAIRS || (seen < SIGNALS_WANTED && i < 20L * PAIRS); i++) {
        unsigned n = next_random(&random) % SLOTS;

        CHECK(holds(slots[n], sizes[n] < 16 ? sizes[n] : 16, (unsigned char)n), "slot %u", n);
        free(slots[n]);
        sizes[n] = next_random(&random) % 3000;
        slots[n] = malloc(sizes[n]);
        CHECK(slots[n], "NULL for %zu bytes", sizes[n]);
        fill(slots[n], sizes[n] < 16 ? sizes[n] : 16, (unsigned char)n);
    }
    timer_delete(timer);
    for (int n = 0; n < SLOTS; n++)
        free(slots[n]);
    printf("note: %ld signals\n", (long)seen);
    CHECK(seen >= SIGNALS_WANTED, "only %ld signals", (long)seen);
    puts("the storm passed");
    return 0;
}
