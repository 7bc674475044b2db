#include "lost.h"

#include "os.h"

static _Atomic uint32_t never[2] = {1, 0};

TLS_FAST uint32_t lost_depth;
_Atomic uint32_t *lost_mark = never;

void lost_init(void)
{
    _Atomic uint32_t *mark = os_map(os_page());

    if (!mark)
        return;
    if (!os_wipe_on_fork(mark, os_page())) {
        (void)os_unmap(mark, os_page());
        return;
    }
    atomic_store_explicit(mark, 1, memory_order_relaxed);
    lost_mark = mark;
}

void lost_found(void)
{
    atomic_store_explicit(lost_mark, 1, memory_order_relaxed);
}

bool lost_step(struct lock *l, enum fork_step step)
{
    switch (step) {
    case FORK_LOCK: lock_take(l); break;
    case FORK_SEIZE: return atomic_exchange(&l->word, LOCK_TAKEN) != LOCK_FREE;
    case FORK_PARENT:
    case FORK_CHILD: lock_give(l); break;
    }
    return false;
}
