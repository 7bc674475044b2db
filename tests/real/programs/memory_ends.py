"""Meets the end of memory in strings, lists and dictionaries; goes on each time."""

import json


def until_it_ends(make):
    held = []
    try:
        while True:
            held.append(make(len(held)))
    except MemoryError:
        held.pop()  # counting them takes a block too
        return len(held) > 10


for what in (lambda n: bytearray(1_000_000), lambda n: [n] * 1000,
             lambda n: {"n": n, "text": str(n) * 20}, lambda n: bytes(50_000),
             lambda n: "é" * 70_000):
    print(until_it_ends(what))
try:
    bytearray(1 << 40)
except MemoryError:
    print("too much at once")

print(sum(len(json.dumps({"n": n})) for n in range(50_000)))
