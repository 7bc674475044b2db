"""The rows of the matrix: every program of the corpus, some with several sizes."""

from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / 'programs'

# A tiny class's edges as the red zones shift them, then mid, large and huge.
SIZES = (1, 8, 13, 40, 64, 256, 1024, 1984, 2048, 5000, 32768, 200000, 1 << 20, 3 << 20)
EVERY_LAYER = (16, 100, 2000, 10000, 300000, 3 << 20)
ARGUMENTS = {
    'overflow_write': [(size, 1) for size in SIZES] + [(size, d) for size in (40, 5000)
                                                       for d in (8, 64)],
    'overflow_read': [(size, 1) for size in EVERY_LAYER] + [(100, 8), (100, 64)],
    'underflow_write': [(size, 1) for size in EVERY_LAYER] + [(100, 8), (100, 64)],
    'underflow_read': [(size, 1) for size in EVERY_LAYER] + [(5000, 8), (5000, 64)],
    'overflow_calloc': [(2,), (100,), (5000,), (500000,)],
    'overflow_realloc_grown': [(10,), (2000,), (300000,), (1 << 20,)],
    'overflow_realloc_shrunk': [(16,), (2049,), (100000,), (3 << 20,)],
    'overflow_memalign': [(32,), (64,), (4096,)],
    'overflow_posix_memalign': [(64,), (65536,)],
    'overflow_aligned_alloc': [(64,)],
    'underflow_memalign': [(64,), (4096,), (1 << 20,)],
    'freed_read': [(size,) for size in EVERY_LAYER],
    'freed_write': [(size,) for size in EVERY_LAYER],
    'freed_read_late': [(16,), (300,), (5000,), (200000,)],
    'freed_write_late': [(16,), (300,), (5000,)],
    'freed_by_realloc': [(100, 200), (200, 100), (5000, 6000), (300000, 200000)],
    'freed_aligned': [(64,), (4096,)],
    'free_twice': [(size,) for size in EVERY_LAYER],
    'free_twice_late': [(8,), (500,), (50000,)],
    'free_interior': [(100, 8), (100, 16), (5000, 4096), (3 << 20, 1 << 20)],
    'realloc_freed': [(100,), (10000,)],
    'undefined_branch': [(8,), (3000,), (3 << 20,)],
    'undefined_after_realloc': [(8,), (5000,)],
    'leak_definite': [(0,), (1,), (100,), (5000,), (300000,), (3 << 20,)],
    'leak_possible': [(100,), (10000,), (3 << 20,)],
    'leak_reachable': [(50,), (10000,), (3 << 20,)],
    'leak_held_by_a_leaked_large_block': [(5000,), (3 << 20,)],
    'fishy_size': [(1,), (4096,)],
}


@dataclass(frozen=True)
class Row:
    program: str
    arguments: tuple

    def __str__(self) -> str:
        return ' '.join([self.program, *map(str, self.arguments)])


def all_rows() -> list[Row]:
    names = sorted(path.stem for path in PROGRAMS.glob('*.c*'))
    return [Row(name, arguments) for name in names for arguments in ARGUMENTS.get(name, [()])]
