/*
 * A program whose every slab is known, to be preloaded and recorded. It prints what its classes'
 * counters must be at exit; HAKMEM_SHARED_POOL_STAGE_STATS=1 prints what they are. Exact with
 * HAKMEM_SS_LG=21, where all its slabs but C5's last lie behind a SuperSlab's first one. `fresh`
 * is stage2 + stage3: who maps a SuperSlab depends on what the C library allocated before.
 *
 *   C7, 32 blocks a slab    a thread fills 10 slabs and frees all: 10 fresh, 10 EMPTY
 *                           another fills the 10 again, keeps 5 blocks of one: 10 by stage 1
 *                           another fills 8 and frees all: 8 by stage 1; 9 are EMPTY at its end
 *   C6, 128 blocks a slab   cap 1. A thread takes a block and ends: 1 fresh, published
 *                           another takes 138: 127 of the slab it adopts, 11 from legacy
 *   C5, 256 blocks a slab   a thread fills 40 slabs: C7's 9 EMPTY ones by rebind, 31 fresh
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 11000 };

static char *block[MOST];
static char *kept[6];

static void fill(unsigned n, size_t size)
{
    for (unsigned i = 0; i < n; i++) {
        block[i] = malloc(size);
        if (!block[i])
            exit(1);
        memset(block[i], (int)(i & 0x7f), size);
    }
}

static void give_back(unsigned from, unsigned to, size_t size)
{
    for (unsigned i = from; i < to; i++) {
        if (block[i][0] != (char)(i & 0x7f) || block[i][size - 1] != (char)(i & 0x7f)) {
            fprintf(stderr, "block %u of %zu bytes was overwritten\n", i, size);
            exit(1);
        }
        free(block[i]);
    }
}

static void *ten_slabs_of_c7(void *unused)
{
    fill(300, 2048);
    give_back(0, 300, 2048);
    return unused;
}

static void *ten_slabs_of_c7_but_five_blocks(void *unused)
{
    fill(300, 2048);
    memcpy(kept, block, 5 * sizeof(kept[0]));
    give_back(5, 300, 2048);
    return unused;
}

static void *eight_slabs_of_c7(void *unused)
{
    fill(250, 2048);
    give_back(0, 250, 2048);
    return unused;
}

static void *one_block_of_c6(void *unused)
{
    kept[5] = malloc(512);
    return unused;
}

static void *more_than_a_slab_of_c6(void *unused)
{
    fill(138, 512);
    give_back(0, 138, 512);
    return unused;
}

static void *forty_slabs_of_c5(void *unused)
{
    fill(39 * 256 + 100, 256);
    give_back(0, 39 * 256 + 100, 256);
    return unused;
}

static void in_a_thread(void *(*work)(void *))
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, work, NULL) != 0)
        exit(1);
    pthread_join(thread, NULL);
}

int main(void)
{
    int (*set_cap)(unsigned, unsigned) =
        (int (*)(unsigned, unsigned))dlsym(RTLD_DEFAULT, "hak_set_cap");

    in_a_thread(ten_slabs_of_c7);
    in_a_thread(ten_slabs_of_c7_but_five_blocks);
    in_a_thread(eight_slabs_of_c7);
    /* Without hakmem there is no cap to set, and nothing to compare with. */
    if (set_cap)
        set_cap(6, 1);
    in_a_thread(one_block_of_c6);
    in_a_thread(more_than_a_slab_of_c6);
    in_a_thread(forty_slabs_of_c5);
    for (unsigned i = 0; i < 6; i++)
        free(kept[i]);
    puts("cls=5 fresh=31 stage0.5=0 stage1=0 adopt=0 rebind=9 shared_fail=0 legacy=0\n"
         "cls=6 fresh=1 stage0.5=0 stage1=0 adopt=1 rebind=0 shared_fail=11 legacy=11\n"
         "cls=7 fresh=10 stage0.5=0 stage1=18 adopt=0 rebind=0 shared_fail=0 legacy=0");
    return 0;
}
