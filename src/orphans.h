/*
 * In a forked child: what threads left that it does not have. Slabs that they owned or had in their
 * hands, lists that they were changing, mappings that nobody knows any more: all is sorted anew by
 * what each slab's info word, each block's mark and the page map say.
 *
 * The forked thread calls it, while it is the only one; and once more when others may be told.
 */
#ifndef HAKMEM_ORPHANS_H
#define HAKMEM_ORPHANS_H

#include <stdbool.h>

/* Nobody else may allocate yet. With lists, what the threads that are gone had in theirs is still
 * there to be read. */
void orphans_seize(bool lists);

/* Has the slabs of the threads that are gone adopted, and their owners serve later threads. */
void orphans_publish(void);

#endif
