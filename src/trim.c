#include "trim.h"

#include "ace.h"
#include "reclaim.h"

bool trim_all(void)
{
    bool slabs = reclaim_now();
    bool blocks = ace_reclaim();

    if (slabs || blocks)
        ss_map_may_work();
    return slabs || blocks;
}
