"""What reports tell of single mallocs and frees, where they were recorded."""

import json

from history import History, line
from recorder import hak, on_terminal

BASE = 0x7f1000000000


def alloc(place: int, size: int, cls: int) -> str:
    return line('alloc', ptr=hex(BASE + place), size=size, cls=cls)


def free(place: int, cls: int) -> str:
    return line('free', ptr=hex(BASE + place), cls=cls)


def told(trace, *more) -> dict:
    result = hak('report', trace, '--json', *more)
    assert result.code == 0, result.err
    return json.loads(result.out)['ops']


def of(rows: list, *keys: str) -> list[tuple]:
    return [tuple(row[key] for key in keys) for row in rows]


COUNTS = ('allocs', 'requested', 'frees', 'unseen', 'live', 'live_bytes', 'untold')


def test_mallocs_and_frees_by_class_process_and_size(record):
    h = History()
    h.lines += [alloc(0, 500, 6), alloc(512, 400, 6), alloc(1024, 2049, 252), free(0, 6),
                'fork', *History(parent=1, complete=0).lines,
                alloc(0, 3, 0), free(512, 6), free(1024, 252), 'end',
                alloc(1 << 30, 5 << 20, 254), alloc(0, 16, 1), alloc(0, 10, 1)]
    trace = record(h.text())
    ops = told(trace)
    assert of(ops['classes'], 'cls', 'layer', *COUNTS) == [
        (0, None, 1, 3, 0, 0, 1, 3, 0),
        (1, None, 2, 26, 0, 0, 1, 10, 1),
        (6, None, 2, 900, 2, 1, 1, 400, 0),
        (None, 'MID', 1, 2049, 1, 1, 1, 2049, 0),
        (None, 'HUGE', 1, 5 << 20, 0, 0, 1, 5 << 20, 0)]
    parent, child = ops['processes']
    assert of([parent, child], 'allocs', 'frees', 'unseen', 'live') == [(6, 1, 0, 4), (1, 2, 2, 1)]
    assert sorted(of(ops['threads'], 'pid', 'tid', 'allocs')) == sorted(
        [(parent['pid'], parent['pid'], 6), (child['pid'], child['pid'], 1)])
    assert of(ops['sizes'], 'low', 'high', 'cls', 'allocs', 'requested') == [
        (1, 16, 0, 1, 3), (1, 16, 1, 2, 26), (385, 400, 6, 1, 400), (497, 512, 6, 1, 500),
        (2049, 2560, None, 1, 2049), ((4 << 20) + 1, 5 << 20, None, 1, 5 << 20)]
    assert of(told(trace, '--class', '6')['classes'], 'cls', 'allocs') == [(6, 2)]
    assert of(told(trace, '--pid', child['pid'])['classes'], 'cls', 'frees') == [
        (0, 0), (6, 1), (None, 1)]
    drawn = on_terminal('report', trace)
    assert 'Every malloc and free' in drawn and 'sizes asked for' in drawn


def test_where_they_were_not_recorded_nothing_is_counted(record):
    h = History()
    h.thread()
    trace = record(h.text())
    assert told(trace) is None
    assert 'Every malloc' not in on_terminal('report', trace)
    assert 'ops_' not in hak('report', trace).out


def test_what_is_freed_first_was_there_before(record):
    h = History()
    h.lines += [free(0, 6), free(512, 6), alloc(0, 400, 6)]
    row, = told(record(h.text()))['classes']
    assert of([row], *COUNTS) == [(1, 400, 2, 2, 1, 400, 0)]


def test_every_size_lies_in_its_range(record):
    sizes = [0, 1, 15, 16, 17, 2047, 2048, 2049, 2560, 2561, 4096, 4097, (1 << 20) - 1, 1 << 20,
             (1 << 20) + 1, 1 << 40, 1 << 41]
    h = History()
    h.lines += [alloc(place << 12, size, 255) for place, size in enumerate(sizes)]
    rows = told(record(h.text()))['sizes']
    assert sum(row['allocs'] for row in rows) == len(sizes)
    for row in rows:
        within = [size for size in sizes if row['low'] <= size <= row['high']]
        assert (len(within), sum(within)) == (row['allocs'], row['requested']), row
    assert all(one['high'] < next['low'] for one, next in zip(rows, rows[1:]))
