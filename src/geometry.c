#include "geometry.h"

/* clang-format off */
#define G(stride) {stride, (uint32_t)((0xffffffffull / (stride)) + 1)}

const struct class_geometry geometry[CLASSES] = {
    G(8),  G(16), G(32),  G(64),  G(128), G(256),  G(512),  G(2048),
    G(48), G(96), G(192), G(384), G(768), G(1024), G(1280), G(1536),
};
/* clang-format on */

uint8_t geometry_class_16[TINY_MAX / 8 + 1];

static unsigned classes_in_use = CLASSES;

void geometry_init(unsigned classes)
{
    classes_in_use = classes;
    for (size_t size = 0; size <= TINY_MAX; size += 8)
        geometry_class_16[size / 8] =
            (uint8_t)(16 * geometry_class_aligned(size, size > 8 ? 16 : 8));
}

int geometry_class_aligned(size_t size, size_t align)
{
    int best = -1;

    for (unsigned c = 0; c < classes_in_use; c++) {
        uint32_t stride = geometry[c].stride;

        /* Slab 0's first block lies SS_HEADER = 2,048 bytes in, so strides that are multiples
         * of align give aligned blocks in every slab as long as align <= 2,048. */
        if (stride < size || stride % align != 0 || align > SS_HEADER)
            continue;
        if (best < 0 || stride < geometry[best].stride)
            best = (int)c;
    }
    return best;
}
