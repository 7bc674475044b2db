/*
 * Rows of the table life in the order of its key, though lives end in the order of time: sorted
 * runs of bounded size go to an unlinked file and are merged at the end. The merge also makes
 * the histograms of lifetimes, one process after the other.
 */
#ifndef HAK_RUNS_H
#define HAK_RUNS_H

#include "model.h"
#include "store.h"

struct runs;

/* folder_of: a path in whose folder the unlinked file may be. */
struct runs *runs_new(const char *folder_of);
/* False with errno if the file cannot be written. */
bool runs_add(struct runs *r, const struct life *life);
bool runs_merge(struct runs *r, struct store *store, bool batches);
void runs_free(struct runs *r);

#endif
