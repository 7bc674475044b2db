/* The fast path: a list of free blocks per thread and class, refilled and drained in batches. */
#include "tiny.h"

#include <errno.h>
#include <string.h>

#include "process.h"
#include "scenario.h"

static struct sll *list(unsigned cls)
{
    return &tls.sll[cls];
}

SCENARIO(the_block_freed_last_is_handed_out_first)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        uint32_t stride = geometry[c].stride;
        void *a = hak_malloc(stride), *b = hak_malloc(stride);

        check(a && b && a != b);
        hak_free(a);
        hak_free(b);
        check(hak_malloc(stride) == b);
        check(hak_malloc(stride) == a);
    }
}

SCENARIO(requests_go_to_their_class_s_blocks)
{
    for (size_t size = 0; size <= TINY_MAX; size++) {
        void *p = hak_malloc(size);

        check(p != NULL);
        check_eq(slab_cls(slab_of(p)), class_of(size));
        hak_free(p);
    }
    check(ss_of(hak_malloc(TINY_MAX + 1)) == NULL);
}

SCENARIO(batches_start_small_and_double_until_they_reach_half_the_limit)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        unsigned batch = 4, n = 0;

        for (unsigned refill = 0; refill < 7; refill++) {
            block[n++] = hak_malloc(geometry[c].stride);
            /* Slabs smaller than the batch end one early. */
            check(sll_count(c) + 1 <= batch);
            if (refill == 0)
                check_eq(sll_count(c), 3);
            while (list(c)->head)
                block[n++] = hak_malloc(geometry[c].stride);
            batch = batch < tls.limit[c] / 2 ? batch * 2 : batch;
            check_eq(tls.batch[c], batch);
            check(batch <= tls.limit[c]);
        }
    }
}

SCENARIO(a_list_never_exceeds_its_limit_and_its_count_is_its_length)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        uint32_t stride = geometry[c].stride;
        unsigned n = 0;

        for (unsigned i = 0; i < 1000; i++)
            block[i] = hak_malloc(stride);
        for (unsigned i = 0; i < 1000; i++) {
            hak_free(block[i]);
            check(sll_count(c) <= tls.limit[c]);
        }
        for (struct block *b = list(c)->head; b; b = block_next(b, c))
            n++;
        check_eq(sll_count(c), n);
        check(tls.limit[c] >= 32 && tls.limit[c] <= 256);
        hak_drain();
        check_eq(sll_count(c), 0);
        check(list(c)->head == NULL);
        check_eq(class_now(c).active, 0);
    }
}

SCENARIO(a_block_in_use_never_looks_free)
{
    for (unsigned c = 1; c < CLASSES; c++)
        for (unsigned round = 0; round < 3; round++) {
            for (unsigned i = 0; i < 300; i++) {
                block[i] = hak_malloc(geometry[c].stride);
                check(!block_looks_free(block[i], c));
            }
            for (unsigned i = 0; i < 300; i++) {
                hak_free(block[i]);
                check(block_looks_free(block[i], c));
            }
        }
    check_eq(stats_now().double_frees, 0);
}

SCENARIO(no_two_live_blocks_share_a_byte)
{
    static unsigned char seen[SLAB_SIZE];
    struct slab *s;

    for (unsigned c = 0; c < CLASSES; c++) {
        uint32_t stride = geometry[c].stride;
        unsigned n = 0;

        memset(seen, 0, sizeof(seen));
        block[n++] = hak_malloc(stride);
        for (s = slab_of(block[0]);; n++) {
            block[n] = hak_malloc(stride);
            if (slab_of(block[n]) != s)
                break;
        }
        check_eq(n, slab_capacity(c, slab_no(s)));
        for (unsigned i = 0; i < n; i++)
            for (uint32_t b = 0; b < stride; b++)
                check_eq(seen[((uintptr_t)block[i] + b) & (SLAB_SIZE - 1)]++, 0);
    }
}

SCENARIO(free_leaves_errno_alone)
{
    for (unsigned i = 0; i < 3000; i++)
        block[i] = hak_malloc(i % 3 ? 500 : 5000);
    errno = EXDEV;
    for (unsigned i = 0; i < 3000; i++) {
        hak_free(block[i]);
        check_eq(errno, EXDEV);
    }
    hak_free(NULL);
    check_eq(errno, EXDEV);
}

SCENARIO(a_successful_malloc_leaves_errno_alone)
{
    errno = EXDEV;
    for (unsigned i = 0; i < 3000; i++) {
        check(hak_malloc(i) != NULL);
        check_eq(errno, EXDEV);
    }
}

SCENARIO(switched_off_everything_is_the_system_s)
{
    process_init();
    config.use_superslab = 0;
    for (size_t size = 0; size <= TINY_MAX; size += 16) {
        char *p = hak_malloc(size);

        check(p && !ss_of(p));
        memset(p, 1, size);
        p = hak_realloc(p, size + 100);
        check(p && !ss_of(p));
        hak_free(p);
    }
    check_eq(stats_now().mapped_bytes, 0);
    check_eq(stats_now().invalid_frees, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_block_freed_last_is_handed_out_first),
        cmocka_unit_test(requests_go_to_their_class_s_blocks),
        cmocka_unit_test(batches_start_small_and_double_until_they_reach_half_the_limit),
        cmocka_unit_test(a_list_never_exceeds_its_limit_and_its_count_is_its_length),
        cmocka_unit_test(a_block_in_use_never_looks_free),
        cmocka_unit_test(no_two_live_blocks_share_a_byte),
        cmocka_unit_test(free_leaves_errno_alone),
        cmocka_unit_test(a_successful_malloc_leaves_errno_alone),
        cmocka_unit_test(switched_off_everything_is_the_system_s),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
