"""Where the memory went adds up to what the kernel says at the same time, in every state that a heap
can be in, and every part is what the orders made it."""

import bisect
import contextlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hak import reading, split
from hak.db import Scope
from scenarios import Scenario

MIB = 1 << 20
SHARE, LEAST = 0.03, MIB // 2
# Of the puppet: its table of blocks, stacks, data segments; in MiB.
OTHERS = 3.5


@dataclass
class Kernel:
    rss: int
    anon: int


def kernel(pid: int) -> Kernel:
    text = Path(f'/proc/{pid}/smaps_rollup').read_text()
    return Kernel(*(int(re.search(rf'^{name}: +(\d+) kB', text, re.M)[1]) << 10
                    for name in ('Rss', 'Anonymous')))


def splits(trace: Path, pid: int) -> list[split.Split]:
    with reading.opened(reading.Request(trace)) as source:
        return [each for proc in split.over_time(source.db, Scope(pid)).values() for each in proc]


def near(told: int, real: int) -> bool:
    return abs(told - real) <= max(SHARE * real, LEAST)


# Orders, and what each part is then, in MiB: between the two.
STATES = {
    'blocks that live': (('hold 512 100000',), {'live': (48, 49.5), 'rounding': (0, 0.5)}),
    'blocks larger than their requests': (('hold 600 80000',), {
        'live': (45, 47.5), 'rounding': (11.5, 13.5)}),
    'few blocks that keep many slabs': (('hold 512 120000', 'thin 16'), {
        'free': (53, 56), 'live': (3.4, 4.8)}),
    'blocks that wait for their owner': (('lend 256 150000',), {'remote': (35, 37)}),
    "threads' lists": (('threads 60 512 120',), {'caches': (3.2, 4.4)}),
    'whole slabs that are free': (('hold 512 100000', 'thin 0'), {'live': (0, 0.5)}),
    'memory given back': (('hold 512 100000', 'drop', 'rest 20'), {
        'live': (0, 0.5), 'empty': (0, 6)}),
    'mid blocks': (('hold 20000 2000',), {'live': (32, 42)}),
    'mid blocks thinned out': (('hold 20000 2000', 'thin 2', 'rest 20'), {'live': (16, 24)}),
    'large blocks': (('hold 300000 100',), {'live': (27, 31)}),
    'large blocks that nobody wrote to': (('ask 300000 200',), {'live': (0, 3)}),
    'huge blocks': (('hold 5000000 12',), {'live': (56, 59)}),
    'huge blocks that nobody wrote to': (('ask 50000000 10',), {'live': (0, 1)}),
    "memory past malloc": (('map 64',), {'not_ours': (64, 66), 'live': (0, 1)}),
    'all at once': (('hold 512 60000', 'thin 8', 'map 16', 'hold 300000 20', 'hold 4000000 4',
                     'lend 256 40000'), {
        'free': (24, 28), 'not_ours': (16, 19), 'remote': (9, 10.5), 'live': (23, 29)}),
}


# Apart, in seconds, the kernel is asked; so much may change between two askings.
APART, STILL = 0.1, 0.01


@pytest.mark.parametrize('state', STATES)
def test_the_parts_add_up(stage, state):
    orders, expected = STATES[state]
    puppet = stage._recorded(Scenario(state, plain=True))
    for order in orders:
        puppet.play(order)
    puppet.tick(5)
    samples = []
    for _ in range(30):
        samples.append((time.time_ns(), kernel(puppet.pid)))
        time.sleep(APART)
    stage._end(puppet)
    told = splits(stage.folder / 'session', puppet.pid)
    assert hold(told, samples) >= 1, (told, samples)
    for part, (least, most) in {'not_ours': (0, OTHERS), **expected}.items():
        assert least * MIB <= told[-1].parts[part] <= most * MIB, (part, told[-1])


def hold(told: list[split.Split], samples: list[tuple[int, Kernel]]) -> int:
    """Against what the kernel said just before and after; how many could be held."""
    held = 0
    for each in told:
        assert sum(each.parts.values()) == each.anon and each.anon + each.file == each.rss
        assert all(part >= 0 for part in each.parts.values()) and not each.beyond, each
        at = bisect.bisect([time for time, _ in samples], each.time)
        if not 0 < at < len(samples):
            continue
        before, after = samples[at - 1][1], samples[at][1]
        if abs(before.anon - after.anon) <= STILL * before.anon:
            held += 1
            assert near(each.anon, before.anon), (each, before)
            assert near(each.rss, before.rss), (each, before)
    return held


# ---- programs of other people's ----

PYTHON = """
import time, json, decimal, asyncio
kept = [str(n) * 20 for n in range(200000)]
time.sleep(2.5)
kept = kept[::3] + [bytearray(3 << 20) for n in range(8)]
time.sleep(2.5)
"""
PERL = 'push @kept, "x" x ($_ % 900) for 1..120000; sleep 3; @kept = @kept[0..20000]; sleep 3'
NODE = """
const kept = []; for (let i = 0; i < 300; i++) kept.push(Buffer.alloc(100000, 1), {i});
setTimeout(() => { kept.length = 100; }, 2500); setTimeout(() => {}, 5000);
"""
SQL = """
CREATE TABLE t (a, b);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
  INSERT INTO t SELECT i, hex(randomblob(200)) FROM n;
.shell sleep 2.5
CREATE INDEX u ON t (b);
.shell sleep 2.5
"""
REDIS = """
redis-server --port 0 --unixsocket %s/socket --save '' --enable-debug-command yes >/dev/null &
until redis-cli -s %s/socket debug populate 60000 key 500 >/dev/null 2>&1; do sleep 0.1; done
sleep 2.5
redis-cli -s %s/socket flushall >/dev/null
sleep 2.5
redis-cli -s %s/socket shutdown nosave
wait
"""
PROGRAMS = {
    'python3': ['/usr/bin/python3', '-c', PYTHON],
    'perl': ['perl', '-e', PERL],
    'node': ['node', '-e', NODE],
    'sqlite3': ['sh', '-c', 'printf "%s" "$1" | sqlite3 :memory:', 'sh', SQL],
    'redis-server': ['sh', '-c', REDIS],
}
@pytest.mark.parametrize('name', PROGRAMS)
def test_the_parts_add_up_of_any_program(stage, name):
    folder = stage.folder / 'real'
    command = [word.replace('%s/', f'{stage.folder}/') for word in PROGRAMS[name]]
    recorder = stage.daemon.hak.start('record', '-o', folder, '--', *command,
                                      stderr=stage._log('real'))
    seen: dict[int, list[tuple[int, Kernel]]] = {}
    while recorder.poll() is None:
        for pid in named(name):
            with contextlib.suppress(OSError, TypeError):
                seen.setdefault(pid, []).append((time.time_ns(), kernel(pid)))
        time.sleep(APART)
    recorder.communicate()
    held = sum(hold(splits(folder, pid), samples) for pid, samples in seen.items())
    assert held >= 3, seen


def named(name: str) -> list[int]:
    """Processes that are called so."""
    found = []
    for folder in Path('/proc').glob('[0-9]*'):
        with contextlib.suppress(OSError):
            if (folder / 'comm').read_text() == f'{name}\n':
                found.append(int(folder.name))
    return found
