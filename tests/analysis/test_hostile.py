"""What somebody else made, a trace or what lies beside it, harms neither the reader, its files nor
its terminal; and it is not believed."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
from history import SS, Wanderer
from recorder import HAK, Channel, hak, on_terminal, unprivileged

from hak import apart, places, ui
from hak.errors import HakError

ESCAPE, C1, TURN = '\x1b]0;owned\x07', '\x9b31m', '\u202e'
# What no name may bring to a terminal.
FORBIDDEN = {*map(chr, range(0x20)), *map(chr, range(0x7f, 0xa0)), *'\u061c\u200e\u200f\u202a\u202b'
             '\u202c\u202d\u202e\u2066\u2067\u2068\u2069'} - {'\n'}


@pytest.fixture(scope='module')
def good(lttng_recorder, tmp_path_factory):
    trace = tmp_path_factory.mktemp('hostile') / 'trace'
    history = Wanderer(3, 300).history
    history.add('config', key='HAKMEM_[red]X', value='\x1b[2J[/nothing]\x9b\u202e', is_default=0)
    with lttng_recorder.session(trace, Channel(subbuf_size=65536, subbufs=8)) as emit:
        emit(history.text())
    return trace


@pytest.fixture
def copy(good, tmp_path):
    shutil.copytree(good, tmp_path / 'copy')
    return tmp_path / 'copy'


def beside(trace: Path) -> Path:
    return trace.with_name(trace.name + '.hak.sqlite')


# ---- the child ----

def test_what_aborts_does_not_end_who_asked():
    for ending in (os.abort, lambda: os.kill(os.getpid(), signal.SIGSEGV)):
        with pytest.raises(HakError, match='gave up with SIG') as raised:
            apart.call(ending)
        assert raised.value.code == 3


def test_what_takes_all_memory_is_said_so():
    with pytest.raises(HakError, match='memory'):
        apart.call(lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_what_makes_no_progress_is_ended_and_what_is_slow_is_not(monkeypatch):
    monkeypatch.setattr(apart, 'SPINNING_SECONDS', 0.5)

    def slow() -> str:
        for _ in range(40):
            apart.step()
            end = time.process_time() + 0.05
            while time.process_time() < end:
                pass
        return 'done'

    assert apart.call(slow) == 'done'
    with pytest.raises(HakError, match='without an end'):
        apart.call(lambda: [None for _ in iter(int, 1)])


def test_a_child_does_not_outlive_its_parent(tmp_path):
    def sleep() -> None:
        (tmp_path / 'pid').write_text(str(os.getpid()))
        time.sleep(600)

    middle = os.fork()
    if middle == 0:
        try:
            apart.call(sleep)
        finally:
            os._exit(0)
    while not (tmp_path / 'pid').exists() or not (tmp_path / 'pid').read_text():
        time.sleep(0.01)
    child = int((tmp_path / 'pid').read_text())
    os.kill(middle, signal.SIGKILL)
    os.waitpid(middle, 0)
    deadline = time.monotonic() + 60
    while Path(f'/proc/{child}/cmdline').exists() and Path(f'/proc/{child}/cmdline').read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize('closed', ['2>&-', '<&- 2>&-', '<&- >&- 2>&-'])
def test_it_reads_where_standard_descriptors_are_closed(copy, closed):
    done = subprocess.run(['sh', '-c', f'"$1" verify "$2" {closed}', 'sh', HAK, copy], timeout=300,
                          check=False)
    assert done.returncode == 0


def test_an_error_that_nobody_foresaw_is_a_line(copy):
    # A module that is not there, in place of a fault of ours.
    result = hak('report', copy, env={**os.environ, 'PYTHONPATH': str(broken_module(copy.parent))})
    assert result.code == 3 and result.out == ''
    assert len(result.err.splitlines()) == 1 and 'Traceback' not in result.err
    assert result.err.startswith('hak: ') and 'ZeroDivisionError' in result.err


def broken_module(folder: Path) -> Path:
    (folder / 'sitecustomize.py').write_text(
        'import hashlib\nhashlib.sha256 = lambda *a: 1 // 0\n')
    return folder


UNLABELLED = """
import sqlite3
theirs = sqlite3.connect
def connect(*args, **kwargs):
    db = theirs(*args, **kwargs)
    if 'mode=ro' in str(args[0]):
        db.executescript('CREATE TEMP VIEW label AS SELECT * FROM main.label WHERE 0')
    return db
sqlite3.connect = connect
"""


@pytest.fixture(scope='module')
def troubled(lttng_recorder, tmp_path_factory):
    """With something of every enumeration."""
    trace = tmp_path_factory.mktemp('troubled') / 'trace'
    history = Wanderer(5, 200).history
    history.cap(80)
    history.size(19, 20)
    history.ace_fail(70000, 'MID', 'EXHAUSTION', class_size=81920, used=90, limit=100)
    history.ace_fail(70000, 'LARGE', 'THRESHOLD', class_size=81920)
    history.ace_fail(5000, 'HUGE', 'MAP_FAIL_OS', class_size=5000, err=12)
    history.add('oom', size=5000, err=12)
    history.add('hdr_reset', cls=6, base=hex(SS), got=1, expect=166, count=1, where='AT_POP')
    history.add('double_free', base=hex(SS), ss=hex(SS), slab=1, gen=1, cls=6)
    history.add('invalid_free', ptr=hex(SS), ss=hex(SS), slab=1, cls=6, why='IN_HEADER')
    history.add('legacy_alloc', base=hex(SS), size=70, cls=6, source='SYSTEM_MALLOC', why='WHY_LARGE')
    history.add('pressure', what='PRESSURE_CGROUP', percent=90, used=90, limit=100, rss=80)
    history.dump(seq=9, why='DUMP_PRESSURE')
    with lttng_recorder.session(trace, Channel(subbuf_size=65536, subbufs=8)) as emit:
        emit(history.text())
    return trace


def test_values_that_no_enumeration_has_are_told_as_they_are(troubled, tmp_path):
    """As if each value of a trace were damaged."""
    (tmp_path / 'sitecustomize.py').write_text(UNLABELLED)
    env = {**os.environ, 'PYTHONPATH': str(tmp_path)}
    assert '"?' in hak('timeline', '--json', troubled, env=env).out
    for args in ([], ['--json']):
        for command in ('report', 'oom', 'timeline', 'verify'):
            result = hak(command, *args, troubled, env=env)
            assert result.code in (0, 1), (command, args, result.err)
            assert on_terminal(command, troubled, env=env, codes=(0, 1))


# ---- the terminal ----

def names(trace: Path) -> list[str]:
    """What hak says of a trace in every way in which it speaks to people."""
    said = [on_terminal(command, trace, codes=(0, 1)) for command in ('report', 'oom', 'timeline', 'verify')]
    said.append(on_terminal('diff', trace, trace))
    for args in (['report'], ['oom'], ['timeline'], ['verify'], ['diff', trace],
                 ['report', '--json'], ['oom', '--json'], ['timeline', '--json']):
        result = hak(*args, trace)
        said += [result.out, result.err]
    return said


def test_no_name_of_a_trace_or_in_it_reaches_the_terminal_raw(good, tmp_path):
    trace = tmp_path / f'x{ESCAPE}{C1}{TURN}'
    shutil.copytree(good, trace)
    drawn = {'\x1b', '\r'}   # of rich and the terminal itself
    for number, text in enumerate(names(trace)):
        found = {mark for mark in text if mark in FORBIDDEN} - (drawn if number < 5 else set())
        assert not found, (number, found, text)
        assert '\x1b]0' not in text and '\x1b[2J' not in text
    assert '\\x1b]0' in names(trace)[0]


def test_a_name_that_is_not_utf_8(good, tmp_path):
    trace = Path(os.fsdecode(os.fsencode(tmp_path) + b'/a\xff\xfeb'))
    shutil.copytree(good, trace)
    victim = max((path for path in trace.rglob('*_*') if path.is_file()),
                 key=lambda path: path.stat().st_size)
    victim.rename(Path(os.fsdecode(os.fsencode(victim.parent) + b'/\xe9_0')))
    for command in ('report', 'verify', 'oom', 'timeline'):
        result = hak(command, trace)
        assert result.code in (0, 1) and 'Traceback' not in result.err, result
        assert hak(command, trace / 'none').code == 3
    assert beside(trace).exists()


def test_every_text_can_be_told_and_json_loses_nothing():
    every = ' '.join(map(chr, [*range(0x2100), *range(0xd7f0, 0x10100), 0xe0001]))
    assert not FORBIDDEN & set(ui.clean(every)) and '\n' not in ui.clean(every)
    assert json.loads(ui.json_text({'x': every}))['x'] == every
    assert ui.clean('prøcess 進程 🐘') == 'prøcess 進程 🐘'


def test_a_spreadsheet_computes_nothing(good, tmp_path):
    from hak.reporters import export_csv

    for text in ('=cmd()', '+1', '-1', '@x', '\t=1'):
        assert export_csv._field(text) == f'"\'{text}"'
    assert export_csv._field(-5) == '-5' and export_csv._field('a=b') == '"a=b"'


# ---- what lies beside the trace ----

def told(trace: Path) -> dict:
    result = hak('report', trace, '--json', timeout=300)
    assert result.code == 0 and 'Traceback' not in result.err, result
    return json.loads(result.out)


def changed(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)


DAMAGE = {
    'a row is another': lambda path: changed(path, 'UPDATE process SET pid = 4711'),
    'a view that never ends': lambda path: changed(
        path, 'ALTER TABLE life RENAME TO old', 'CREATE VIEW life AS WITH RECURSIVE n(x) AS '
        '(SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT * FROM old, n'),
    'a table is missing': lambda path: changed(path, 'DROP TABLE process'),
    'pages are rotten': lambda path: rot(path),
    'text': lambda path: path.write_text('x' * 5000),
    'empty': lambda path: path.write_bytes(b''),
    'cut': lambda path: os.truncate(path, path.stat().st_size // 2),
    'fifo': lambda path: (path.unlink(), os.mkfifo(path)),
    'link': lambda path: (path.rename(path.with_name('elsewhere')),
                          path.symlink_to(path.with_name('elsewhere'))),
    'dangling link': lambda path: (path.unlink(), path.symlink_to(path.with_name('created'))),
    'directory': lambda path: (path.unlink(), path.mkdir()),
    'writable for all': lambda path: path.chmod(0o666),
}


def rot(path: Path) -> None:
    with open(path, 'r+b') as file:
        for at in range(20000, path.stat().st_size, 9000):
            file.seek(at)
            file.write(b'\xa5' * 64)


@pytest.mark.parametrize('damage', DAMAGE)
def test_what_lies_beside_a_trace_is_not_believed(copy, damage):
    expected = told(copy)
    DAMAGE[damage](beside(copy))
    assert told(copy) == expected
    assert not copy.with_name('created').exists()
    if damage != 'directory':
        assert beside(copy).is_file() and not beside(copy).is_symlink()


def test_what_another_made_with_a_key_of_its_own_is_not_believed(copy, tmp_path):
    expected = told(copy)
    changed(beside(copy), 'UPDATE process SET pid = 4711')
    script = ('import sys; sys.path.insert(0, sys.argv[1]); from hak import cache; '
              'file = open(sys.argv[2], "r+b"); cache.seal(file.fileno())')
    subprocess.run(['/usr/bin/python3', '-c', script, HAK.parents[1] / 'analysis', beside(copy)],
                   env={**os.environ, 'XDG_CACHE_HOME': str(tmp_path / 'cache')}, check=True)
    assert (tmp_path / 'cache/hakmem/key').stat().st_mode & 0o777 == 0o600
    assert told(copy) == expected


def test_the_database_is_for_its_owner_alone(copy):
    told(copy)
    assert beside(copy).stat().st_mode & 0o777 == 0o600


def test_nothing_is_left_by_one_that_is_killed(copy, tmp_path):
    folder = tmp_path / 'tmp'
    folder.mkdir()
    stale = folder / 'hak-read-stale'
    stale.mkdir()
    part = copy.parent / '.hak-stale.part'
    part.write_text('x')
    for path in (stale, part):
        os.utime(path, (1, 1))
    env = {**os.environ, 'TMPDIR': str(folder)}
    running = subprocess.Popen([HAK, 'report', copy], env=env, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    while running.poll() is None and not any(folder.glob('hak-read-*[!e]')):
        time.sleep(0.005)
    running.terminate()
    running.communicate(timeout=300)
    assert hak('report', copy, env=env).code == 0
    assert not any(folder.iterdir()) and not any(copy.parent.glob('.hak-*'))


# ---- files that are none ----

def test_a_fifo_in_place_of_a_file_is_no_trace(copy):
    metadata = next(copy.rglob('metadata'))
    metadata.unlink()
    os.mkfifo(metadata)
    result = hak('report', copy, timeout=300)
    assert result.code == 3 and 'is not a file' in result.err


def test_what_is_no_file_among_the_streams_is_read_past(copy):
    folder = next(copy.rglob('metadata')).parent
    os.mkfifo(folder / 'fifo_0')
    (folder / 'zero_0').symlink_to('/dev/zero')
    (folder / 'loop_0').symlink_to('loop_0')
    (folder / 'folder_0').mkdir()
    assert told(copy)['events'] > 0


# ---- two users ----

pytestmark_root = pytest.mark.skipif(os.geteuid() != 0, reason='needs root')


@pytest.fixture
def theirs(good):
    """A trace that belongs to nobody, in a folder of nobody's."""
    folder = Path(tempfile.mkdtemp(prefix='hak-test-theirs-'))
    shutil.copytree(good, folder / 'trace')
    for path in [folder, *folder.rglob('*')]:
        os.chown(path, 65534, 65534)
    yield folder / 'trace'
    shutil.rmtree(folder)


@pytestmark_root
def test_root_writes_nothing_where_another_user_says(theirs, tmp_path):
    victim = tmp_path / 'victim'
    victim.write_text('dear')
    beside(theirs).symlink_to(victim)
    for number in range(os.getpid(), os.getpid() + 500):
        theirs.with_name(f'{beside(theirs).name}.{number}.part').symlink_to(victim)
    there = {path.name for path in theirs.parent.iterdir()}
    result = hak('report', theirs)
    assert result.code == 0 and result.out
    assert [line for line in result.err.splitlines() if 'is not kept there' in line], result.err
    assert victim.read_text() == 'dear'
    assert {path.name for path in theirs.parent.iterdir()} == there
    refused = hak('report', theirs, '--db', theirs.parent / 'db')
    assert refused.code == 3 and 'elsewhere' in refused.err


@pytestmark_root
def test_root_does_not_believe_the_database_of_another_user(theirs):
    expected = told(theirs)
    subprocess.run([*unprivileged(), HAK, 'report', theirs], capture_output=True, check=True,
                   env={**os.environ, 'XDG_CACHE_HOME': str(theirs.parent / 'cache')})
    assert beside(theirs).stat().st_uid == 65534
    changed(beside(theirs), 'UPDATE process SET pid = 4711')
    assert told(theirs) == expected


@pytestmark_root
def test_a_home_of_another_user_gets_no_file_of_root_s(theirs, copy, tmp_path):
    home = theirs.parent / 'home'
    home.mkdir()
    os.chown(home, 65534, 65534)
    env = {**os.environ, 'HOME': str(home)}
    env.pop('XDG_CACHE_HOME', None)
    assert hak('report', copy, env=env).code == 0
    assert not any(home.iterdir())


def test_a_folder_is_safe_if_nobody_else_can_change_it(tmp_path):
    folder = tmp_path.resolve() / 'a'
    folder.mkdir(0o700)
    assert places.safe(folder)
    for mode, safe in ((0o777, False), (0o1777, True), (0o755, True)):
        folder.chmod(mode)
        assert places.safe(folder) == safe
    assert not places.safe(folder / 'none')
