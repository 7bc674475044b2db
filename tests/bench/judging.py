#!/usr/bin/python3
"""How long `hak oom` and `hak report` take: of a snapshot, an hour of a busy program, a storm.

usage: tests/bench/judging.py [--seconds N] [--refusals N] [--rounds N]

The hour is emitted faster than it would pass, with what an hour has: sums every second, dumps in
detail every five as large as they may be, and slabs that come and go all the time.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tests/analysis'), str(ROOT / 'tests')]

from history import SS, SS_STEP  # noqa: E402
from recorder import HAK, Channel, recorder  # noqa: E402
from troubles import PER_SS, Troubled  # noqa: E402

REFUSALS = ROOT / 'build/bench/refusals'
CAPS = {'HAKMEM_TINY_CAP': '1:1,2:1', 'HAKMEM_ACE_MID_CAP': '1M'}
# What dumps in detail tell of: as many slabs as 8 KiB a second have room for.
SLABS = 400
DETAILS_APART = 5
SUMS = {'active': SLABS, 'peak': SLABS, 'slabs': SLABS, 'carved': SLABS * 128,
        'capacity': SLABS * 128}
# Slabs that a second takes and gives back: redis under load has fewer once it is filled.
LIVES = 60
BUFFERS = Channel(subbuf_size=8 << 20, subbufs=16)
# As flight has them.
RING = Channel(subbuf_size=64 << 10, subbufs=8)


def hour(seconds: int) -> Iterator[str]:
    """The script of each second."""
    h = Troubled()
    gens = [1] * SLABS
    for slab in range(SLABS):
        h.map_if_full()
        h.acquire('STAGE_2', slab % PER_SS, ss=SS + slab // PER_SS * SS_STEP)
        h.next += 1
    for second in range(seconds):
        for number in range(LIVES):
            slab = (second * LIVES + number) % SLABS
            at = {'slab': slab % PER_SS, 'ss': SS + slab // PER_SS * SS_STEP}
            h.drop(gen=gens[slab], **at)
            gens[slab] += 1
            h.acquire('STAGE_1', gen=gens[slab], **at)
        detailed = second % DETAILS_APART == 0
        h.dump('DUMP_PERIODIC' if detailed else 'DUMP_SUMS',
               [{'gen': gen, 'owner': 1} for gen in gens] if detailed else [],
               [{'owner': 1, 'tid': 101}] if detailed else [],
               classes={6: {**SUMS, 'used': SLABS * 100 + second % 997}}, rss=200 << 20)
        yield h.text()
        h.lines.clear()


def make(folder: Path, seconds: int, refusals: int) -> dict[str, Path]:
    with recorder(folder) as made:
        with made.session(folder / 'hour', BUFFERS) as emit:
            emit(''.join(hour(seconds)))
        with made.session(folder / 'snapshot', RING, snapshot=True) as emit:
            emit(''.join(hour(min(seconds, 300))))
    subprocess.run([HAK, 'record', '--private', '-o', folder / 'storm', '--', REFUSALS,
                    str(refusals)], check=True, capture_output=True, env={**os.environ, **CAPS})
    return {name: folder / name for name in ('snapshot', 'hour', 'storm')}


def seconds_of(verb: str, trace: Path) -> float:
    """Without what an earlier reading has left."""
    trace.with_name(trace.name + '.hak.sqlite').unlink(missing_ok=True)
    begun = time.monotonic()
    done = subprocess.run([HAK, verb, trace], capture_output=True, text=True, check=False)
    took = time.monotonic() - begun
    if done.returncode not in (0, 1):
        sys.exit(f'hak {verb} {trace.name}: {done.stderr}')
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=int, default=3600, help='of the hour')
    parser.add_argument('--refusals', type=int, default=400_000, help='of the storm')
    parser.add_argument('--rounds', type=int, default=3)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix='hak-judging-'))
    try:
        print(f'{"":<12}{"MiB":>8}{"hak oom":>12}{"hak report":>12}')
        for name, trace in make(folder, args.seconds, args.refusals).items():
            size = sum(path.stat().st_size for path in trace.rglob('*') if path.is_file())
            took = [statistics.median(seconds_of(verb, trace) for _ in range(args.rounds))
                    for verb in ('oom', 'report')]
            print(f'{name:<12}{size / 2 ** 20:>8.1f}{took[0]:>10.1f} s{took[1]:>10.1f} s',
                  flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == '__main__':
    main()
