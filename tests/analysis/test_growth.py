"""What grows as leaks do, by what is live at some moments: in MiB."""

import pytest
from hak.oom.growth import MIB, growing

STEADY = [10, 13, 16, 19, 22, 25, 28, 31]
COLLECTED = [10, 20, 14, 24, 18, 28, 22, 32, 26, 36, 30]
EVEN = [1] * 20


@pytest.mark.parametrize('live, parts, keys', [
    ({1: STEADY}, EVEN, {1}),
    ({1: STEADY, 2: [40] * 8}, EVEN, {1}),
    ({1: STEADY, 2: [400] * 8}, EVEN, set()),
    # Of four sizes, and little of each.
    ({cls: [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5] for cls in range(4)}, EVEN, {0, 1, 2, 3}),
    ({1: [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5]}, EVEN, set()),
    # The last part was short.
    ({1: [10, 15, 20, 25, 30, 31]}, [10, 10, 10, 10, 2], {1}),
    ({1: [10, 20, 30, 31, 31, 31]}, [1, 1, 1, 10, 10], set()),
    # Collected garbage comes again; what is left after each collection is more.
    ({1: COLLECTED}, EVEN, {1}),
    ({1: [24, 14, 18, 22, 26, 20, 24, 28, 32, 34]}, EVEN, {1}),
    ({1: STEADY, 2: [30, 36, 42, 48, 38, 44, 50, 56]}, EVEN, {1, 2}),
    ({1: [16] * 8, 2: [30, 36, 42, 48, 38, 44, 50, 56]}, EVEN, set()),
    ({1: [10, 20, 10, 20, 10, 20, 10, 20, 10, 20, 10, 32]}, EVEN, set()),
    ({1: [10, 20, 12, 24, 18, 28, 18, 28, 18, 28, 18]}, EVEN, set()),
    ({1: [10, 20, 30, 20, 22, 24, 30, 36, 40, 44, 48]}, EVEN, set()),
    ({1: [10, 20, 30, 30, 30, 30, 30, 30]}, EVEN, set()),
])
def test_what_grows(live, parts, keys):
    edges = {key: [int(size * MIB) for size in sizes] for key, sizes in live.items()}
    count = len(next(iter(edges.values()))) - 1
    assert {*growing(edges, parts[:count])} == keys
