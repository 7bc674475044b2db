#include "learn.h"

#define CAP_QUIET_WINDOWS 4u
#define SIZE_QUIET_WINDOWS 8u
#define SIZE_MAPS 3u
#define OCCUPANCY_HIGH 50u
#define OCCUPANCY_LOW 25u

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

uint32_t learn_cap_raised(uint32_t cap)
{
    return larger(cap + cap / 2, LEARN_CAP_MIN);
}

uint32_t learn_cap_after(struct cap_memory *m, uint32_t cap, uint32_t peak, uint32_t active)
{
    uint32_t wanted;

    if (cap <= LEARN_CAP_MIN || peak >= cap / 2) {
        *m = (struct cap_memory){0, 0};
        return cap;
    }
    m->peak = larger(m->peak, peak);
    if (++m->quiet < CAP_QUIET_WINDOWS)
        return cap;
    wanted = larger(larger(m->peak + m->peak / 2, active), LEARN_CAP_MIN);
    *m = (struct cap_memory){0, 0};
    return wanted < cap ? wanted : cap;
}

unsigned learn_size_mapping(unsigned lg, uint32_t maps, uint32_t occupancy)
{
    return maps >= SIZE_MAPS && occupancy >= OCCUPANCY_HIGH && lg < SS_LG_MAX ? lg + 1 : lg;
}

unsigned learn_size_after(uint32_t *quiet, unsigned lg, uint32_t maps, uint32_t occupancy)
{
    if (lg == SS_LG_MIN || maps || occupancy >= OCCUPANCY_LOW) {
        *quiet = 0;
        return lg;
    }
    if (++*quiet < SIZE_QUIET_WINDOWS)
        return lg;
    *quiet = 0;
    return lg - 1;
}
