"""All SQL: questions to the file that sink.hakmem.lives writes (analysis/plugin/tables.h)."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional

from hak.errors import HakError
from hak.geometry import ADDRESSES, LARGE_MOST, MID_MOST, NO_CLASS

SCHEMA = 11
# Tables with a column cls; all but a few have proc.
PASSED_ON = f'''l.text IN ('LARGE', 'HUGE')
    AND size <= iif(l.text = 'LARGE', {MID_MOST}, {LARGE_MOST}) AS passed_on'''
_PROCESSES = 'SELECT proc FROM process WHERE pid = :pid'


@dataclass(frozen=True)
class Scope:
    """What a question is about: all, or one process, one class."""
    pid: Optional[int] = None
    cls: Optional[int] = None

    def where(self, cls: str = 'cls', *more: str) -> str:
        """A WHERE clause; cls='' for tables without classes."""
        parts = list(more)
        if self.pid is not None:
            parts.append(f'proc IN ({_PROCESSES})')
        if self.cls is not None and cls:
            parts.append(f'{cls} = :cls')
        return 'WHERE ' + ' AND '.join(parts) if parts else ''

    def values(self) -> dict:
        return {'pid': self.pid, 'cls': self.cls}


@dataclass(frozen=True)
class LifeFilter:
    """Which lives a timeline shows; None: any."""
    scope: Scope
    ss: Optional[int] = None
    slab: Optional[int] = None
    tid: Optional[int] = None
    begin: Optional[int] = None
    end: Optional[int] = None

    def where(self) -> str:
        more = []
        if self.ss is not None:
            more.append('ss = :ss')
        if self.slab is not None:
            more.append('slab = :slab')
        if self.tid is not None:
            more.append('(tid = :tid OR (proc, ss, mapping, slab, n) IN '
                        '(SELECT proc, ss, mapping, slab, n FROM spell WHERE tid = :tid))')
        if self.begin is not None:
            more.append('(end IS NULL OR end >= :begin)')
        if self.end is not None:
            more.append('(begin IS NULL OR begin < :end)')
        return self.scope.where('cls', *more)

    def values(self) -> dict:
        return {**self.scope.values(), 'ss': self.ss, 'slab': self.slab, 'tid': self.tid,
                'begin': self.begin, 'end': self.end}


class Database:
    """One open file. Rows come as sqlite3.Row: columns by name."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self._db = sqlite3.connect(f'{path.resolve().as_uri()}?mode=ro&immutable=1', uri=True)
            self._db.row_factory = sqlite3.Row
            # Names of programs and threads are whatever bytes these chose.
            self._db.text_factory = lambda raw: raw.decode('utf-8', 'replace')
            self.meta = {row['key']: row['number'] if row['text'] is None else row['text']
                         for row in self._db.execute('SELECT key, text, number FROM meta')}
        except sqlite3.Error as error:
            raise HakError(f'{path} is no database of hak: {error}', 'delete it') from None
        if self.meta.get('schema') != SCHEMA:
            raise HakError(f'the Babeltrace plugin writes tables of version {self.meta.get("schema")}, '
                           f'and hak reads {SCHEMA}', 'build or install both anew: make all')
        self._labels = {(row['kind'], row['value']): row['text'] for row in
                        self._db.execute('SELECT kind, value, text FROM label')}

    @property
    def _begin(self) -> int:
        """Of the window: what is a row for its time after that may have begun before."""
        return self.meta['begin'] or 0

    def close(self) -> None:
        self._db.close()

    def label(self, kind: str, value: Optional[int]) -> Optional[str]:
        return None if value is None else self._labels.get((kind, value), f'?{value}')

    def _all(self, sql: str, scope: Scope) -> list:
        return self._db.execute(sql, scope.values()).fetchall()

    # ---- all of it ----

    def tables(self) -> list:
        """The names of all tables, in the order in which tables.h has them."""
        return [row['name'] for row in
                self._db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' "
                                 'ORDER BY rowid')]

    def table(self, name: str, order: str = 'rowid') -> Iterator:
        """All rows of a table, one at a time; in the order of its key if that has no rowid."""
        keyed = order == 'rowid' and 'WITHOUT ROWID' in self._db.execute(
            'SELECT sql FROM sqlite_schema WHERE name = ?', (name,)).fetchone()['sql']
        return self._db.execute(f'SELECT * FROM {name}' + ('' if keyed else f' ORDER BY {order}'))

    def rows_of(self, table: str, proc: int, order: str = '1') -> list:
        """All that a table says of one process."""
        return self._db.execute(f'SELECT * FROM {table} WHERE proc = ? ORDER BY {order}',
                                (proc,)).fetchall()

    # ---- what was recorded ----

    def processes(self, scope: Scope) -> list:
        return self._all(f'SELECT * FROM process {scope.where("")} ORDER BY proc', scope)

    def settings(self, scope: Scope) -> list:
        where = scope.where('', 'is_default = 0')
        return self._all(f'SELECT proc, key, value FROM config {where} ORDER BY proc, key', scope)

    def event_totals(self) -> dict:
        return {row['name']: row['count'] for row in
                self._db.execute('SELECT name, count FROM event_total ORDER BY name')}

    def losses(self) -> list:
        return self._db.execute('SELECT kind, stream, begin, end, count, state FROM loss '
                                'ORDER BY begin').fetchall()

    # ---- state dumps ----

    def dumps(self, scope: Scope) -> list:
        """Those in detail, in the order of time; what is in use is added up over classes and ACE's
        layers."""
        return self._all(f'''
            SELECT d.*, p.pid, c.active, c.tiny_live + a.ace_live AS live, a.ace_mapped,
                   iif(d.exact, 0, c.remote) AS live_error
            FROM dump d JOIN process p USING (proc)
                 LEFT JOIN (SELECT proc, seq, sum(slabs) AS active,
                                   sum(max(0, used - parked - remote) * stride) AS tiny_live,
                                   sum(remote * stride) AS remote
                            FROM dump_class GROUP BY proc, seq) c USING (proc, seq)
                 LEFT JOIN (SELECT proc, seq, sum(max(0, used - cached)) AS ace_live,
                                   sum(mapped) AS ace_mapped
                            FROM dump_pool GROUP BY proc, seq) a USING (proc, seq)
            {scope.where('', 'd.details')} ORDER BY begin''', scope)

    def states(self, scope: Scope) -> list:
        """Whole dumps, of sums only too."""
        return self._all(f'''
            SELECT d.*, p.pid FROM dump d JOIN process p USING (proc)
            {scope.where('', 'd.complete')} ORDER BY begin''', scope)

    def dumped(self, table: str, scope: Scope) -> list:
        """What all dumps say of classes or layers."""
        return self._all(f'SELECT * FROM {table} {scope.where("")}', scope)

    def mean_requests(self, proc: int) -> dict:
        """Class -> bytes that its requests ask for, where each was recorded."""
        return dict(self._db.execute(f'''
            SELECT cls, total(requested) / sum(allocs) FROM op_total
            WHERE proc = ? AND cls != {NO_CLASS} GROUP BY cls HAVING sum(allocs)''',
            (proc,)).fetchall())

    def sizes(self) -> list:
        """Of each process: what its layers had mapped at most, and the most that was resident of
        what is no file's, NULL where no dump says. failed: it was refused something, or misused the heap."""
        return self._db.execute('''
            WITH troubled AS (SELECT proc FROM failure UNION SELECT proc FROM fail_total
                              UNION SELECT proc FROM pressure),
                 mapped AS (SELECT proc, sum(peak) AS bytes FROM layer GROUP BY proc),
                 dumped AS (SELECT proc, max(ifnull(nullif(anon, 0), rss)) AS bytes FROM dump
                            GROUP BY proc)
            SELECT p.proc, p.pid, p.began, p.ended, ifnull(m.bytes, 0) AS mapped,
                   d.bytes AS resident, p.proc IN troubled AS failed
            FROM process p LEFT JOIN mapped m USING (proc) LEFT JOIN dumped d USING (proc)
            ORDER BY p.proc''').fetchall()

    # ---- single operations ----

    def ops(self, scope: Scope, by: str) -> list:
        """Sums over each `by`: columns of op_total or of process."""
        return self._all(f'''
            SELECT {by}, sum(allocs) AS allocs, sum(requested) AS requested, sum(frees) AS frees,
                   sum(unseen) AS unseen, sum(live) AS live, sum(live_bytes) AS live_bytes,
                   sum(untold) AS untold
            FROM op_total JOIN process USING (proc) {scope.where()}
            GROUP BY {by} ORDER BY {by}''', scope)

    def op_sizes(self, scope: Scope) -> list:
        return self._all(f'''
            SELECT cls, low, high, sum(allocs) AS allocs, sum(requested) AS requested
            FROM op_size {scope.where()} GROUP BY cls, low ORDER BY low, cls''', scope)

    def dumped_classes(self, proc: int, seq: int) -> list:
        """What a dump says of the classes that anything is known of."""
        return self._db.execute('''
            SELECT * FROM dump_class WHERE proc = ? AND seq = ? AND (peak OR slabs) ORDER BY cls''',
            (proc, seq)).fetchall()

    def dump_counts(self) -> dict:
        row = self._db.execute('SELECT count(*) AS dumps, total(complete) AS complete '
                               'FROM dump WHERE details').fetchone()
        return {'complete': int(row['complete']), 'incomplete': row['dumps'] - int(row['complete'])}

    def pressure(self, scope: Scope) -> list:
        return self._all(f'''
            SELECT r.*, p.pid FROM pressure r JOIN process p USING (proc) {scope.where('')}
            ORDER BY time''', scope)

    # ---- acquires ----

    def stages(self, scope: Scope) -> list:
        return self._all(f'''
            SELECT cls, stage, outcome, sum(count) AS count, sum(scanned) AS scanned, sum(ns) AS ns
            FROM stage_total {scope.where()} GROUP BY cls, stage, outcome''', scope)

    def stages_after(self, tick: int, scope: Scope) -> dict:
        """Acquires by stage in the ticks from `tick` on."""
        where = scope.where('cls', 'tick >= :tick')
        row = self._db.execute(f'''
            SELECT total(stage_0_5) AS STAGE_0_5, total(stage_1) AS STAGE_1,
                   total(stage_2) AS STAGE_2, total(adopt) AS ADOPT, total(rebind) AS REBIND,
                   total(stage_3) AS STAGE_3
            FROM tick {where}''', {**scope.values(), 'tick': tick}).fetchone()
        return {key: int(row[key]) for key in row.keys()}

    def stages_by_tick(self, proc: int) -> list:
        """Acquires by stage in each tick in which there were any."""
        return self._db.execute('''
            SELECT tick, sum(stage_0_5) AS stage_0_5, sum(stage_1) AS stage_1,
                   sum(stage_2) AS stage_2, sum(adopt) AS adopt, sum(rebind) AS rebind,
                   sum(stage_3) AS stage_3
            FROM tick WHERE proc = ? GROUP BY tick ORDER BY tick''', (proc,)).fetchall()

    def fails(self, scope: Scope) -> list:
        return self._all(f'''
            SELECT f.*, p.pid FROM fail_total f JOIN process p USING (proc)
            {scope.where('f.cls')} ORDER BY f.count DESC''', scope)

    def legacy(self, scope: Scope) -> list:
        return self._all(f'''
            SELECT cls, source, why, sum(count) AS count, sum(bytes) AS bytes, sum(told) AS told
            FROM legacy_total {scope.where()} GROUP BY cls, source, why ORDER BY cls, source, why
            ''', scope)

    # ---- classes and slabs ----

    def classes(self, scope: Scope) -> list:
        """Sums over processes; peak and cap are those of the process with the highest peak: with
        max() SQLite takes bare columns from the row that has it."""
        return self._all(f'''
            SELECT cls, sum(active) AS active, max(peak) AS peak, peak_at, cap,
                   sum(lives) AS lives, sum(carried) AS carried, sum(emptied) AS emptied,
                   sum(listed) AS listed, sum(unlisted) AS unlisted, sum(refills) AS refills,
                   sum(refilled) AS refilled, sum(carved) AS carved, sum(drains) AS drains,
                   sum(given_own) AS given_own, sum(given_remote) AS given_remote,
                   sum(pushes) AS pushes, sum(pushed) AS pushed, sum(collects) AS collects,
                   sum(collected) AS collected, sum(locks) AS locks, sum(contended) AS contended,
                   sum(waited_ns) AS waited_ns
            FROM class_total {scope.where()} GROUP BY cls ORDER BY cls''', scope)

    def longest_waits(self, scope: Scope) -> dict:
        """Class -> the longest wait for the pool's lock, in nanoseconds."""
        return {row['cls']: row['ns'] for row in self._all(
            f'SELECT cls, max(waited_max_ns) AS ns FROM class_total {scope.where()} GROUP BY cls',
            scope)}

    def lifetimes(self, scope: Scope) -> list:
        return self._all(f'''
            SELECT cls, low, high, sum(count) AS count FROM lifetime {scope.where()}
            GROUP BY cls, low ORDER BY cls, low''', scope)

    def superslabs(self, scope: Scope) -> list:
        return self._all(f'''
            SELECT lg, kind, count(*) AS count, count(unmapped) AS unmapped,
                   sum(slabs) AS slabs, sum(ns) AS ns
            FROM superslab {scope.where('', f'time >= {self._begin}')}
            GROUP BY lg, kind ORDER BY lg, kind''', scope)

    def class_sizes(self, scope: Scope) -> list:
        where = scope.where('cls', 'kind = 0', f'time >= {self._begin}')
        return self._all(f'''
            SELECT cls, lg, count(*) AS maps, count(unmapped) AS unmaps, min(time) AS first,
                   max(time) AS last
            FROM superslab {where} GROUP BY cls, lg ORDER BY cls, first''', scope)

    def size_changes(self, scope: Scope) -> list:
        return self._all(f'''
            SELECT s.*, p.pid FROM ss_size s JOIN process p USING (proc) {scope.where('s.cls')}
            ORDER BY time''', scope)

    def caps(self, scope: Scope) -> list:
        return self._all(f'''
            SELECT c.*, p.pid FROM cap_change c JOIN process p USING (proc) {scope.where('c.cls')}
            ORDER BY time''', scope)

    # ---- memory ----

    def layers(self, scope: Scope) -> list:
        return self._all(f'''
            SELECT l.*, p.pid FROM layer l JOIN process p USING (proc) {scope.where('')}
            ORDER BY peak DESC, proc, layer''', scope)

    def memory(self, scope: Scope) -> Iterator:
        return self._db.execute(f'''
            SELECT m.*, p.pid FROM memory m JOIN process p USING (proc) {scope.where('')}
            ORDER BY proc, tick''', scope.values())

    def unmapped_within(self, soon: int, scope: Scope) -> int:
        """SuperSlabs that were unmapped within `soon` nanoseconds of their mapping."""
        where = scope.where('cls', 'unmapped - time < :soon', f'time >= {self._begin}')
        return self._db.execute(f'SELECT count(*) FROM superslab {where}',
                                {**scope.values(), 'soon': soon}).fetchone()[0]

    def slabs_purged(self, scope: Scope) -> int:
        return self._all(f'SELECT ifnull(sum(slabs), 0) FROM purge {scope.where("")}',
                         scope)[0][0]

    def needed_within(self, soon: int, scope: Scope) -> int:
        """Lives that began in a slab within `soon` nanoseconds of its purge."""
        where = scope.where('cls', 'purged IS NOT NULL')
        return self._db.execute(f'''
            SELECT count(*) FROM life a {where} AND :soon >
                (SELECT b.begin - a.purged FROM life b
                 WHERE b.proc = a.proc AND b.ss = a.ss AND b.mapping = a.mapping
                       AND b.slab = a.slab AND b.n = a.n + 1)''',
            {**scope.values(), 'soon': soon}).fetchone()[0]

    def activity(self, proc: int) -> Iterator:
        """Lives that begin (1) and end (-1); step 0: what ACE's layers have mapped by then."""
        return self._db.execute('''
            SELECT begin AS time, cls, 1 AS step, NULL AS mid, NULL AS large, NULL AS huge
            FROM life WHERE proc = :proc AND begin IS NOT NULL
            UNION ALL SELECT end, cls, -1, NULL, NULL, NULL
            FROM life WHERE proc = :proc AND end IS NOT NULL
            UNION ALL SELECT tick, NULL, 0, mid, large, huge FROM memory WHERE proc = :proc
            ORDER BY time''', {'proc': proc})

    def carried(self, proc: int) -> dict:
        """Class -> lives that had begun before the recording did."""
        return dict(self._db.execute('''
            SELECT cls, count(*) FROM life WHERE proc = ? AND begin IS NULL GROUP BY cls''',
            (proc,)).fetchall())

    def mapping_classes(self, proc: int, begin: int) -> list:
        """Classes for which the pool mapped SuperSlabs since; smallest: log2 of their size."""
        return self._db.execute('''
            SELECT cls, count(*) AS maps, count(unmapped) AS unmapped, min(lg) AS smallest,
                   min(time) AS first
            FROM superslab WHERE proc = ? AND kind = 0 AND time >= ?
            GROUP BY cls ORDER BY maps DESC''', (proc, begin)).fetchall()

    def acquires_since(self, proc: int, begin: int) -> int:
        return self._db.execute('''
            SELECT count(*) FROM life WHERE proc = ? AND begin >= ?''', (proc, begin)).fetchone()[0]

    def acquired_by(self, proc: int, share: float) -> int:
        """When such a share of what was acquired had been; 0: nothing was."""
        acquires = self.acquires_since(proc, 0)
        row = self._db.execute('''
            SELECT begin FROM life WHERE proc = ? AND begin >= 0 ORDER BY begin LIMIT 1 OFFSET ?''',
            (proc, int(acquires * share))).fetchone()
        return row[0] if row else 0

    # ---- the worst slabs ----

    def longest(self, scope: Scope, limit: int) -> list:
        """Lives by length; those that had not ended count until the recording did."""
        where = scope.where('cls', 'begin IS NOT NULL', '(end IS NOT NULL OR ended = 0)')
        return self._db.execute(f'''
            SELECT *, ifnull(end, :last) - begin AS length FROM life {where}
            ORDER BY length DESC LIMIT :limit''',
            {**scope.values(), 'limit': limit, 'last': self.meta['last']}).fetchall()

    def most_recycled(self, scope: Scope, limit: int) -> list:
        return self._db.execute(f'''
            SELECT proc, ss, mapping, slab, count(*) AS lives, max(gen) AS gen, max(cls) AS cls,
                   count(DISTINCT cls) AS classes
            FROM life {scope.where()} GROUP BY proc, ss, mapping, slab HAVING lives > 1
            ORDER BY lives DESC LIMIT :limit''', {**scope.values(), 'limit': limit}).fetchall()

    def most_remote(self, scope: Scope, limit: int) -> list:
        where = scope.where('cls', 'pushed > 0')
        return self._db.execute(f'''
            SELECT * FROM life {where} ORDER BY pushed DESC LIMIT :limit''',
            {**scope.values(), 'limit': limit}).fetchall()

    # ---- threads, failures, verdicts ----

    def threads(self, scope: Scope) -> list:
        return self._all(f'''
            SELECT t.*, p.pid FROM thread t JOIN process p USING (proc) {scope.where('')}
            ORDER BY acquires DESC, refilled DESC, proc, owner''', scope)

    def flows(self, scope: Scope) -> list:
        return self._db.execute(f'''
            SELECT p.pid, f.tid, f.of_tid, f.pushes, f.pushed
            FROM flow f JOIN process p USING (proc) {scope.where('')} ORDER BY pushed DESC''',
            scope.values()).fetchall()

    def failures(self, kind: str, scope: Scope, limit: int) -> list:
        """The first failures of a kind; those without a class belong to none."""
        return self._db.execute(f'''
            SELECT f.*, p.pid FROM failure f JOIN process p USING (proc)
            {scope.where('f.cls', 'kind = :kind')} ORDER BY time LIMIT :limit''',
            {**scope.values(), 'kind': kind, 'limit': limit}).fetchall()

    def storms_cut_short(self, scope: Scope) -> list[int]:
        """Processes of which sums are told, and no end: of the last sums some may be missing."""
        where = scope.where('', """
            proc IN (SELECT proc FROM fail_total WHERE told < count
                     UNION SELECT proc FROM legacy_total WHERE told < count
                     UNION SELECT proc FROM failure WHERE told < times)""", """
            proc NOT IN (SELECT proc FROM dump JOIN label ON kind = 'dump_why' AND value = why
                         WHERE label.text = 'DUMP_EXIT')""")
        return [row['pid'] for row in self._all(f'SELECT pid FROM process {where} ORDER BY proc',
                                                scope)]

    def failures_by_time(self, scope: Scope) -> Iterator:
        return self._db.execute(f'SELECT proc, kind, time, times FROM failure {scope.where()} '
                                'ORDER BY time', scope.values())

    def failure_counts(self, scope: Scope) -> list:
        """How many of each kind and, for ace_fail, reason; and the largest request that failed."""
        return self._all(f'''
            SELECT kind, iif(kind = 'ace_fail', reason, NULL) AS why, sum(times) AS count,
                   sum(told) AS told, max(size) AS largest
            FROM failure {scope.where()} GROUP BY kind, why''', scope)

    def ace_failures(self, scope: Scope) -> list:
        """By process, layer, reason and errno; the sizes that failed, and how full it was.
        passed_on: of sizes that belong to another layer, which had refused them before."""
        where = scope.where('f.cls', "f.kind = 'ace_fail'")
        return self._all(f'''
            SELECT p.pid, layer, {PASSED_ON},
                   reason, err, sum(times) AS count, sum(told) AS told,
                   min(smallest) AS smallest, max(size) AS largest,
                   max(class_size) AS class_size, max(used) AS used,
                   max(used_limit) AS used_limit, min(first) AS first, max(time) AS last
            FROM failure f JOIN process p USING (proc)
                 LEFT JOIN label l ON l.kind = 'ace_layer' AND l.value = layer {where}
            GROUP BY proc, layer, passed_on, reason, err ORDER BY count DESC, layer, reason''', scope)

    def ace_failures_of(self, proc: int) -> list:
        """As ace_failures(), of one process; class_share: the largest class_size / size."""
        return self._db.execute(f'''
            SELECT layer, {PASSED_ON}, reason, err, sum(times) AS count, sum(told) AS told,
                   min(smallest) AS smallest, max(size) AS largest,
                   max(CAST(class_size AS REAL) / class_of) AS class_share,
                   max(class_size) AS class_size, sum(failure.bytes) AS bytes, max(used) AS used,
                   max(used_limit) AS used_limit, min(first) AS first, max(time) AS last
            FROM failure LEFT JOIN label l ON l.kind = 'ace_layer' AND l.value = layer
            WHERE proc = ? AND failure.kind = 'ace_fail' AND size < {ADDRESSES}
            GROUP BY layer, passed_on, reason, err ORDER BY first''', (proc,)).fetchall()

    def violations(self, explained: bool, limit: int) -> list:
        return self._db.execute('''
            SELECT v.*, p.pid FROM violation v LEFT JOIN process p USING (proc)
            WHERE explained = ? ORDER BY time LIMIT ?''', (explained, limit)).fetchall()

    def violations_by_rule(self) -> list:
        return self._db.execute('''
            SELECT rule, explained, count(*) AS count FROM violation GROUP BY rule, explained
            ORDER BY count DESC''').fetchall()

    # ---- lives ----

    def lives(self, wanted: LifeFilter, limit: Optional[int] = None) -> Iterator:
        return self._db.execute(f'''
            SELECT life.*, (SELECT pid FROM process WHERE process.proc = life.proc) AS pid
            FROM life {wanted.where()}
            ORDER BY ifnull(begin, 0), proc, ss, mapping, slab, n LIMIT :limit''',
            {**wanted.values(), 'limit': -1 if limit is None else limit})

    def lives_by_slab(self, wanted: LifeFilter) -> Iterator:
        return self._db.execute(f'SELECT * FROM life {wanted.where()} '
                                'ORDER BY proc, ss, mapping, slab, n', wanted.values())

    def slab_count(self, wanted: LifeFilter) -> int:
        return self._db.execute('SELECT count(*) FROM (SELECT DISTINCT proc, ss, mapping, slab '
                                f'FROM life {wanted.where()})', wanted.values()).fetchone()[0]

    def ticks(self, proc: int, end: int) -> Iterator:
        """What each class did in each 10 ms before end."""
        return self._db.execute('SELECT * FROM tick WHERE proc = :proc AND tick < :end '
                                'ORDER BY tick', {'proc': proc, 'end': end})

    def life_counts(self, wanted: LifeFilter) -> tuple[int, int]:
        """Lives that began in the recording, and before it."""
        return tuple(self._db.execute(f'''
            SELECT count(begin), count(*) - count(begin) FROM life {wanted.where()}''',
            wanted.values()).fetchone())

    def spells(self, life) -> list:
        return self._db.execute('''
            SELECT spell, owner, tid, begin, end FROM spell
            WHERE proc = :proc AND ss = :ss AND mapping = :mapping AND slab = :slab AND n = :n
            ORDER BY spell''',
            {key: life[key] for key in ('proc', 'ss', 'mapping', 'slab', 'n')}).fetchall()
