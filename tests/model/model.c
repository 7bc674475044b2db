#include "model.h"

#include <setjmp.h>
#include <stdio.h>
#include <ucontext.h>

#define STACK (64 * 1024)
/* More steps than any scenario has: its threads wait for each other. */
#define STEPS_MAX 4096

/* Who runs before the first thread does. */
#define NOBODY MODEL_THREADS

struct step {
    const char *function;
    int line;
    uint8_t thread;
};

/* A place in an order where more than one thread could go on. */
struct fork_in_the_road {
    uint8_t taken, ways;
};

static struct {
    const struct model_scenario *scenario;
    unsigned threads;
    /* The order that runs. */
    unsigned self, preemptions_left;
    bool done[MODEL_THREADS + 1], waits[MODEL_THREADS + 1], begun[MODEL_THREADS];
    bool running; /* else steps are the model's own */
    const char *failed, *file;
    int line;
    struct step step[STEPS_MAX];
    unsigned steps;
    /* The order as choices: the first `fixed` are given, those behind them as they come. */
    struct fork_in_the_road way[STEPS_MAX];
    unsigned ways, fixed;
    jmp_buf at[MODEL_THREADS], home;
    ucontext_t context[MODEL_THREADS];
    char stack[MODEL_THREADS][STACK] __attribute__((aligned(16)));
} m;

unsigned model_self(void)
{
    return m.self;
}

_Noreturn void model_fail(const char *what, const char *file, int line)
{
    m.failed = what;
    m.file = file;
    m.line = line;
    _longjmp(m.home, 1);
}

static bool can_go(unsigned t)
{
    return !m.done[t] && !m.waits[t];
}

/* Which of n ways is taken here. */
static unsigned choose(unsigned n)
{
    struct fork_in_the_road *w;

    if (n == 1)
        return 0;
    w = &m.way[m.ways++];
    if (m.ways > m.fixed)
        *w = (struct fork_in_the_road){0, (uint8_t)n};
    return w->taken;
}

/* The thread that goes on: the same one first, since a change costs a preemption unless it must
 * be; -1: all have ended. */
static int next_thread(void)
{
    unsigned can[MODEL_THREADS], n = 0;
    bool same = can_go(m.self), all_done = true;

    if (same)
        can[n++] = m.self;
    for (unsigned t = 0; t < m.threads; t++)
        if (t != m.self && can_go(t))
            can[n++] = t;
    if (n) {
        unsigned taken = choose(same && !m.preemptions_left ? 1 : n);

        if (same && taken)
            m.preemptions_left--;
        return (int)can[taken];
    }
    for (unsigned t = 0; t < m.threads; t++)
        all_done &= m.done[t];
    if (!all_done)
        model_fail("every thread waits for another", __FILE__, __LINE__);
    return -1;
}

static void resume(unsigned t)
{
    m.self = t;
    if (m.begun[t])
        _longjmp(m.at[t], 1);
    m.begun[t] = true;
    setcontext(&m.context[t]);
}

static void go_on(void)
{
    unsigned before = m.self;
    int next = next_thread();

    if (next < 0)
        _longjmp(m.home, 1);
    if ((unsigned)next == before)
        return;
    if (m.done[before] || !_setjmp(m.at[before]))
        resume((unsigned)next);
}

static void note(const char *function, int line)
{
    if (m.steps == STEPS_MAX)
        model_fail("the threads come to an end", __FILE__, __LINE__);
    m.step[m.steps++] = (struct step){function, line, (uint8_t)m.self};
}

void model_step(const char *function, int line)
{
    if (!m.running)
        return;
    m.running = false;
    m.scenario->always();
    m.running = true;
    go_on();
    note(function, line);
    /* It is about to change something: who waited looks again. */
    for (unsigned t = 0; t < m.threads; t++)
        m.waits[t] = false;
}

void model_wait(const char *function, int line)
{
    note(function, line);
    m.waits[m.self] = true;
    go_on();
}

static void run_thread(void)
{
    m.scenario->thread[m.self]();
    m.done[m.self] = true;
    go_on();
}

/* One order, from its beginning to its end or to what failed. */
static void run_order(unsigned preemptions)
{
    m.steps = m.ways = 0;
    m.preemptions_left = preemptions;
    m.failed = NULL;
    m.self = NOBODY;
    for (unsigned t = 0; t < m.threads; t++)
        m.done[t] = m.waits[t] = m.begun[t] = false;
    m.scenario->begin();
    if (!_setjmp(m.home)) {
        m.running = true;
        resume((unsigned)next_thread());
    }
    m.running = false;
    if (!m.failed && !_setjmp(m.home)) {
        m.scenario->always();
        m.scenario->end();
    }
}

/* The choices of the next order: the last one that has a way left takes it. false: none has. */
static bool turn_elsewhere(void)
{
    for (m.fixed = m.ways; m.fixed; m.fixed--) {
        struct fork_in_the_road *w = &m.way[m.fixed - 1];

        if (w->taken + 1 < w->ways) {
            w->taken++;
            return true;
        }
    }
    return false;
}

static void tell(unsigned preemptions, uint64_t orders)
{
    printf("%s: %s:%d: does not hold: %s\n  in order %lu of those with at most %u preemptions:\n",
           m.scenario->name, m.file, m.line, m.failed, (unsigned long)orders, preemptions);
    for (unsigned i = 0; i < m.steps; i++)
        printf("    %*sthread %u  %s:%d\n", m.step[i].thread * 34, "", m.step[i].thread,
               m.step[i].function, m.step[i].line);
}

static void prepare(const struct model_scenario *s)
{
    m.scenario = s;
    m.threads = 0;
    while (m.threads < MODEL_THREADS && s->thread[m.threads])
        m.threads++;
    m.done[NOBODY] = true;
    for (unsigned t = 0; t < m.threads; t++) {
        getcontext(&m.context[t]);
        m.context[t].uc_stack.ss_sp = m.stack[t];
        m.context[t].uc_stack.ss_size = STACK;
        makecontext(&m.context[t], run_thread, 0);
    }
}

uint64_t model_check(const struct model_scenario *s, unsigned preemptions)
{
    uint64_t all = 0;

    prepare(s);
    for (unsigned most = 0; most <= preemptions; most++) {
        uint64_t orders = 0;

        m.fixed = 0;
        do {
            run_order(most);
            orders++;
            if (m.failed) {
                tell(most, orders);
                return 0;
            }
        } while (turn_elsewhere());
        all = orders;
    }
    return all;
}
