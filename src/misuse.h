/*
 * What a person is told about a misuse of the heap: one line that says what happened to which
 * block, what was expected, what was found and how the program goes on, and the end of the
 * program where HAKMEM_ABORT_ON_ERROR asks for it. Only the seam (trace.c) calls it, and, where
 * there is no going on, whoever finds records overwritten. Owns nothing, allocates nothing, takes
 * no lock: a misuse may be noticed under any.
 */
#ifndef HAKMEM_MISUSE_H
#define HAKMEM_MISUSE_H

#include "trace.h"

/* The free block b should bear the word expect and does not. count: so many before. */
void misuse_say_hdr_reset(unsigned cls, const struct block *b, uint64_t expect, uint64_t count);

/* late: noticed only when more blocks came back to the slab than were out. */
void misuse_say_double_free(struct slab_ref s, const void *base, bool late, uint64_t count);

void misuse_say_invalid_free(uint64_t ss, uint32_t slab, unsigned cls, const void *ptr,
                             enum hak_invalid_why why, uint64_t count);

/* Ends the program if HAKMEM_ABORT_ON_ERROR asks for it. what, of ptr, was the misuse. */
void misuse_end(const char *what, const void *ptr);

/* What is known of a slab, a region or a chunk, at this address, was overwritten: whatever would be
 * done next might be what somebody wants who wrote it. Ends the program. */
_Noreturn void misuse_records_overwritten(const void *records);

#endif
