#include "word.h"

uint64_t word_key[CLASSES];

void word_init(uint64_t secret)
{
    for (unsigned c = 0; c < CLASSES; c++)
        word_key[c] = secret << 8 | 0xa0 | c;
}
