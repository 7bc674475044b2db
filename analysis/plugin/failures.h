/*
 * Failures: each is one row, with all its event says.
 */
#ifndef HAK_FAILURES_H
#define HAK_FAILURES_H

#include "machine.h"

void failures_put(struct machine *m);

#endif
