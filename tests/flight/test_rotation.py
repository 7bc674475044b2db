"""Which snapshots go when there are too many."""

import sys
from pathlib import Path

from conftest import ROOT

sys.path.insert(0, str(ROOT / 'analysis'))
from hak.flight_snapshots import listed, rotate  # noqa: E402


def make(folder: Path, cause: str, minute: int, size: int = 4096) -> None:
    path = folder / f'{cause}-20260101-12{minute:02d}00-{minute}'
    path.mkdir()
    (path / 'stream').write_bytes(bytes(size))


def left(folder: Path) -> list[str]:
    return [f'{snapshot.cause} {snapshot.number}' for snapshot in listed(folder)]


def test_the_oldest_go_first(tmp_path):
    for minute in range(5):
        make(tmp_path, 'oom', minute)
    assert len(rotate(listed(tmp_path), 2, 1 << 30)) == 3
    assert left(tmp_path) == ['oom 3', 'oom 4']


def test_a_frequent_cause_does_not_push_out_a_rare_one(tmp_path):
    make(tmp_path, 'oom', 0)
    for minute in range(1, 9):
        make(tmp_path, 'shared_fail', minute)
    rotate(listed(tmp_path), 3, 1 << 30)
    assert left(tmp_path) == ['oom 0', 'shared_fail 7', 'shared_fail 8']


def test_size_counts_what_the_disk_does(tmp_path):
    for minute in range(4):
        make(tmp_path, 'oom', minute, 100_000)
    rotate(listed(tmp_path), 99, 250_000)
    assert left(tmp_path) == ['oom 2', 'oom 3']


def test_the_newest_stays_even_if_it_is_too_large(tmp_path):
    make(tmp_path, 'oom', 1, 100_000)
    make(tmp_path, 'dump', 2, 100_000)
    rotate(listed(tmp_path), 99, 1)
    assert left(tmp_path) == ['dump 2']


def test_what_is_not_a_snapshot_stays(tmp_path):
    for name in ('notes', 'oom-20260101-120000-x'):
        (tmp_path / name).mkdir()
    (tmp_path / 'oom-20260101-120000-1').symlink_to(tmp_path / 'notes')
    assert rotate(listed(tmp_path), 0, 0) == []
    assert len(list(tmp_path.iterdir())) == 3
