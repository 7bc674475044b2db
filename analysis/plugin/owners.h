/*
 * The rules for owners: thread_start before any use, thread_exit after; an acquire is
 * acquire_begin, then each stage in order until one hits, or shared_fail when all refused. A hit
 * has its slab: one slab_active of that stage before it, or a slab_adopt for ADOPT. A slab_adopt
 * outside an acquire is a visit: the slab is given back before its owner does anything else.
 *
 * Each function takes one event of the process at hand, and believes it afterwards.
 */
#ifndef HAK_OWNERS_H
#define HAK_OWNERS_H

#include "machine.h"

/* The owner with this number, which an event has just said to be at work. Never NULL. */
struct owner *owners_use(struct machine *m, uint32_t number);
/* The thread behind a number; 0 if it is not known. */
uint32_t owners_tid(const struct machine *m, uint32_t number);

void owners_thread_start(struct machine *m, const struct hak_ev_thread_start *e);
void owners_thread_exit(struct machine *m, const struct hak_ev_thread_exit *e);
void owners_acquire_begin(struct machine *m, const struct hak_ev_acquire_begin *e);
void owners_acquire_stage(struct machine *m, const struct hak_ev_acquire_stage *e);
void owners_shared_fail(struct machine *m, const struct hak_ev_shared_fail *e);
void owners_shared_fail_sum(struct machine *m, const struct hak_ev_shared_fail_sum *e);
void owners_drain(struct machine *m, const struct hak_ev_sll_drain *e);

/* A dump names the thread behind an owner's number. */
void owners_told(struct machine *m, const struct hak_ev_statedump_thread *e);

/* What slab events mean for the acquire of their owner. */
void owners_got_slab(struct machine *m, const struct hak_ev_slab_active *e);
/* Is it a visit? */
bool owners_adopted(struct machine *m, const struct hak_ev_slab_adopt *e);
void owners_visited(struct machine *m, uint32_t number);
/* after_visit: what is published ends one. */
void owners_published(struct machine *m, uint32_t number, bool after_visit);

/* The process is over: rows for the threads that still ran. */
void owners_close(struct machine *m, struct process *p);

#endif
