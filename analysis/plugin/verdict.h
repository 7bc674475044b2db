/*
 * What is said when an event does not fit: one row of the table violation. If a loss may have
 * swallowed what would explain it, the row says so and it is no violation.
 */
#ifndef HAK_VERDICT_H
#define HAK_VERDICT_H

#include "machine.h"

/* The event at hand breaks a rule. slab, owner: whose history it contradicts; NULL where it is
 * the process's as a whole. The rest is what was expected, as for printf. */
void complain(struct machine *m, struct slab *slab, const struct owner *owner, const char *rule,
              const char *expected, ...) __attribute__((format(printf, 5, 6)));

#endif
