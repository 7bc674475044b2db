"""The rows of the matrix: every program of the corpus, some with several sizes."""

from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / 'programs'

# One size for each way through the allocator: tiny, mid, large and huge; with the edges of tiny
# classes, as blocks and their red zones fill them, and of the layers.
LAYERS = (100, 10000, 300000, 3 << 20)
EDGES = (1, 32, 192, 1984, 1985, 32768, 1 << 20)
ARGUMENTS = {
    'overflow_write': [(size, 1) for size in (*EDGES, *LAYERS)] + [(40, 8), (40, 64)],
    'overflow_read': [(2048, 1), (100, 64)],
    'underflow_write': [(size, 1) for size in LAYERS] + [(100, 8)],
    'underflow_read': [(16, 1), (5000, 64)],
    'overflow_calloc': [(5000,)],
    'overflow_realloc_grown': [(10,), (1 << 20,)],
    'overflow_realloc_shrunk': [(2049,)],
    'overflow_memalign': [(32,), (4096,)],
    'overflow_posix_memalign': [(65536,)],
    'overflow_aligned_alloc': [(64,)],
    'underflow_memalign': [(64,), (1 << 20,)],
    'freed_read': [(100,), (300000,)],
    'freed_write': [(2000,), (3 << 20,)],
    'freed_read_late': [(5000,)],
    'freed_write_late': [(300,)],
    'freed_by_realloc': [(100, 200), (200, 100), (300000, 200000)],
    'freed_aligned': [(64,), (4096,)],
    'free_twice': [(100,), (3 << 20,)],
    'free_twice_late': [(8,)],
    'free_interior': [(100, 16), (3 << 20, 1 << 20)],
    'realloc_freed': [(100,)],
    'undefined_branch': [(8,), (3 << 20,)],
    'undefined_after_realloc': [(5000,)],
    'leak_definite': [(0,), (300000,), (3 << 20,)],
    'leak_possible': [(100,), (3 << 20,)],
    'leak_reachable': [(50,), (3 << 20,)],
    'leak_held_by_a_leaked_large_block': [(5000,), (3 << 20,)],
    'fishy_size': [(1,)],
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
