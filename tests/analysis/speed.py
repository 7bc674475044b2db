#!/usr/bin/python3
"""How fast `hak report` reads, beside Babeltrace's own counter on the same trace, and in how much
memory. usage: speed.py [--events N] [--rounds N]

Runs alternate, so that what else the machine does meets both; medians are shown.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from history import line, ready
from recorder import HAK, Channel, recorder

BUFFERS = Channel(subbuf_size=8 << 20, subbufs=16)
BLOCK = 64


def script(events: int) -> str:
    """Refills, drains and remote traffic on 32 slabs of 16 classes."""
    h = ready(owners=2)
    for slab in range(32):
        h.acquire(slab=slab, cls=slab % 16)
    h.lines.append(f'repeat {events // BLOCK}')
    for slab in range(32):
        at = {'slab': slab, 'gen': 1, 'cls': slab % 16}
        h.refill(**at)
        if slab % 4 == 0:
            h.push(**at)
        elif slab % 4 == 1:
            h.collect(**at)
        else:
            h.lines.append(line('sll_drain', cls=slab % 16, owner=1, own=20, remote=7, slabs=3))
    h.lines.append('end')
    return h.text()


def timed(command: list, log: Path) -> tuple[float, float, int]:
    """Seconds, seconds of CPU, and KiB of the largest resident set."""
    with open(log, 'wb') as out:
        begun = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=out)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begun
    if status:
        sys.exit(f'{command[0]} failed: {log.read_text()}')
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss


def counter(trace: Path) -> list:
    return ['babeltrace2', trace, '--component=sink.utils.counter', '--params=step=+0']


def report(trace: Path, folder: Path) -> list:
    database = folder / 'db'
    database.unlink(missing_ok=True)
    return [HAK, 'report', trace, '--db', database]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--events', type=int, default=5_000_000)
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='hak-speed-') as name:
        folder = Path(name)
        sizes = (args.events // 5, args.events)
        with recorder(folder) as made:
            for events in sizes:
                with made.session(folder / str(events), BUFFERS) as emit:
                    emit(script(events))
        measure(folder, sizes, args.rounds)


def measure(folder: Path, sizes: tuple[int, int], rounds: int) -> None:
    log, most = folder / 'log', max(sizes)
    runs: dict[str, list] = {'counter': [], 'hak report': []}
    for _ in range(rounds):
        runs['counter'].append(timed(counter(folder / str(most)), log))
        runs['hak report'].append(timed(report(folder / str(most), folder), log))
    print(f'{most:,} events, {rounds} rounds, medians')
    print(f'{"":<12}{"events/s":>12}{"per CPU s":>12}{"resident":>12}')
    rates = {}
    for name, results in runs.items():
        wall, cpu, rss = (statistics.median(column) for column in zip(*results))
        rates[name] = most / wall, most / cpu
        print(f'{name:<12}{most / wall:>12,.0f}{most / cpu:>12,.0f}{rss / 1024:>8.1f} MiB')
    mine, theirs = rates['hak report'], rates['counter']
    print(f'ratio       {mine[0] / theirs[0]:>12.2f}{mine[1] / theirs[1]:>12.2f}')
    for events in sizes:
        rss = timed(report(folder / str(events), folder), log)[2]
        print(f'resident at {events:>12,} events: {rss / 1024:.1f} MiB')


if __name__ == '__main__':
    main()
