#include "lock.h"

#include <errno.h>

#include "os.h"

NOINLINE void lock_wait(struct lock *l)
{
    int saved = errno;

    while (atomic_exchange_explicit(&l->word, LOCK_AWAITED, memory_order_acquire) != LOCK_FREE)
        os_wait(&l->word, LOCK_AWAITED);
    errno = saved;
}

NOINLINE void lock_wake(struct lock *l)
{
    int saved = errno;

    os_wake(&l->word);
    errno = saved;
}

bool lock_take_within(struct lock *l, uint64_t ns)
{
    uint64_t until = os_now_ns() + ns;
    int saved = errno;
    bool taken;

    while (!(taken = lock_try(l)) && os_now_ns() < until)
        os_sleep_ns(1000000);
    errno = saved;
    return taken;
}
