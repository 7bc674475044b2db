#!/usr/bin/python3
"""How fast the page of `hak report --html` is, by how much it shows.

Makes lives of slabs out of nothing, in the database of a recording of /bin/true, and lets Chromium
open the page: time until it has drawn, and of one step of zooming, in the default view and with all
lanes squeezed into one.
"""

import argparse
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / 'analysis'), str(ROOT / 'tests/analysis')]
import npm                                        # noqa: E402
from hak import db, story                         # noqa: E402
from hak.reading import Source                    # noqa: E402
from hak.reporters import report_html             # noqa: E402

SLABS = 32
SECOND = 10 ** 9


def template(folder: Path) -> Path:
    hak = ROOT / 'scripts/hak'
    trace = folder / 'trace'
    subprocess.run([hak, 'record', '-o', trace, '--', '/bin/true'], check=True, timeout=60,
                   stderr=subprocess.DEVNULL)
    subprocess.run([hak, 'report', trace, '--db', folder / 'template', '--json'], check=True,
                   timeout=60, stdout=subprocess.DEVNULL)
    return folder / 'template'


def made_up(file: Path, lives: int, lanes: int, seed: int = 1) -> None:
    """Puts lives of a minute into the database."""
    chance, sql = random.Random(seed), sqlite3.connect(file)
    columns = [row[1] for row in sql.execute('PRAGMA table_info(life)')]
    first = sql.execute("SELECT number FROM meta WHERE key = 'first'").fetchone()[0]
    proc = sql.execute('SELECT proc FROM process').fetchone()[0]
    sql.execute('DELETE FROM life')
    rows, each = [], lives // lanes
    for lane in range(lanes):
        ss, slab, cls = (1 << 40) + (lane // SLABS << 21), lane % SLABS, chance.randrange(16)
        at, mean = first + chance.randrange(SECOND), 58 * SECOND // (2 * each)
        for n in range(1, each + 1):
            length = int(chance.expovariate(1 / mean)) + 1
            row = dict.fromkeys(columns, 0)
            row.update(proc=proc, ss=ss, mapping=lane // SLABS + 1, slab=slab, n=n, gen=n, cls=cls,
                       begin=at, end=at + length, ended=1 + (n & 1), purged=None, unmapped=None,
                       dumped=None, stage=chance.randrange(6), from_cls=cls, owner=1 + n % 5, tid=7,
                       capacity=128, spells=1, refills=chance.randrange(9), used_max=100, certain=1)
            rows.append(tuple(row.values()))
            at += length + int(chance.expovariate(1 / mean)) + 1
        if len(rows) > 200_000:
            _put(sql, columns, rows)
    _put(sql, columns, rows)
    sql.execute("UPDATE meta SET number = (SELECT max(end) FROM life) WHERE key = 'last'")
    sql.commit()
    sql.close()


def _put(sql, columns: list, rows: list) -> None:
    sql.executemany(f'INSERT INTO life VALUES ({", ".join("?" * len(columns))})', rows)
    rows.clear()


def write(database: Path, page: Path) -> None:
    source = Source(Path('made-up'), db.Database(database), [])
    scope = db.Scope()
    report_html.write(story.tell(source, scope), source, scope, page)
    source.db.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--intervals', type=int, nargs='+', default=[200_000, 1_000_000, 5_000_000])
    parser.add_argument('--lanes', type=int, default=2000)
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    playwright = npm.package(npm.PLAYWRIGHT)
    with tempfile.TemporaryDirectory(prefix='hak-page-') as scratch:
        folder = Path(scratch)
        empty = template(folder)
        print(f'{"intervals":>10} {"page MB":>8} {"ready ms":>9} {"step ms":>8} {"squeezed ms":>12}')
        for number in args.intervals:
            database, page = folder / f'{number}', folder / f'{number}.html'
            shutil.copy(empty, database)
            made_up(database, number // 2, args.lanes)
            write(database, page)
            found = [json.loads(subprocess.run(
                ['node', ROOT / 'tests/analysis/page.cjs', playwright, page, 'speed'], check=True, timeout=120,
                stdout=subprocess.PIPE).stdout) for _ in range(args.rounds)]
            print(f'{number:>10,} {page.stat().st_size / 1e6:8.2f}',
                  *(f'{median(one[key] for one in found):{width}.1f}' for key, width in
                    (('ready', 9), ('step', 8), ('squeezed', 12))))
            database.unlink()


if __name__ == '__main__':
    main()
