/*
 * What is said when an event does not fit: one row of the table violation. If a loss may have
 * swallowed what would explain it, the row says so and it is no violation.
 */
#ifndef HAK_VERDICT_H
#define HAK_VERDICT_H

#include "machine.h"

/* Whose history the event at hand contradicts, and when that was last known for sure: a loss
 * after that may explain the contradiction. */
struct subject {
    struct slab *slab;
    const struct owner *owner;
    int64_t sure;
};

/* The process as a whole. */
#define ABOUT_PROCESS ((struct subject){NULL, NULL, UNKNOWN})
/* What is known since `time`. */
#define ABOUT_SINCE(time) ((struct subject){NULL, NULL, (time)})
#define ABOUT_SLAB(s) ((struct subject){(s), NULL, (s)->sure})
/* Is the owner a thread now? How far is its acquire? Which thread is it, what has it done? */
#define ABOUT_OWNER(o) ((struct subject){NULL, (o), (o)->seen})
#define ABOUT_ACQUIRE(o) ((struct subject){NULL, (o), (o)->acquire_seen})
#define ABOUT_THREAD(o) ((struct subject){NULL, (o), (o)->begin})

/* The event at hand breaks a rule. The rest is what was expected, as for printf. */
void complain(struct machine *m, struct subject about, const char *rule, const char *expected, ...)
    __attribute__((format(printf, 4, 5)));

#endif
