"""Whatever is wrong with a trace: one clear line, exit code 3; what can be read is read."""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing

import pytest
from hak import cli
from hak.db import Database
from hak.errors import HakError
from history import Wanderer, line, ready
from recorder import HAK, SECONDS, Channel, hak, unprivileged
from recount import recount

COMMANDS = ('report', 'timeline', 'verify')


@pytest.fixture(scope='module')
def good(lttng_recorder, tmp_path_factory):
    trace = tmp_path_factory.mktemp('good') / 'trace'
    with lttng_recorder.session(trace, Channel(subbuf_size=65536, subbufs=8)) as emit:
        emit(Wanderer(3, 3000).history.text())
    return trace


@pytest.fixture
def copy(good, tmp_path):
    shutil.copytree(good, tmp_path / 'copy')
    return tmp_path / 'copy'


def complaint(result) -> str:
    assert result.code == 3 and result.out == '', result
    lines = result.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith('hak: '), result.err
    assert 'Traceback' not in result.err
    return lines[0]


def folder_of(trace):
    return next(trace.rglob('metadata')).parent


def streams(trace) -> list:
    return sorted((path for path in folder_of(trace).iterdir()
                   if path.is_file() and path.name != 'metadata'),
                  key=lambda path: path.stat().st_size)


def open_to_all(trace) -> None:
    for path in [trace, *trace.rglob('*')]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    for path in trace.parents:
        if path.name.startswith(('pytest-', 'popen-', 'test_')):
            path.chmod(0o755)


@pytest.mark.parametrize('command', COMMANDS)
def test_a_directory_that_is_not_there(command, tmp_path):
    assert f'{tmp_path}/none does not exist' in complaint(hak(command, tmp_path / 'none'))


@pytest.mark.parametrize('command', COMMANDS)
def test_a_file(command, tmp_path):
    (tmp_path / 'file').write_text('x')
    assert 'is a file' in complaint(hak(command, tmp_path / 'file'))


@pytest.mark.parametrize('command', COMMANDS)
def test_an_empty_directory(command, tmp_path):
    assert 'is empty' in complaint(hak(command, tmp_path))


def test_a_directory_of_other_things(tmp_path):
    (tmp_path / 'notes.txt').write_text('x')
    assert 'is not a trace' in complaint(hak('report', tmp_path))


@pytest.mark.parametrize('what', ['folder', 'metadata', 'stream'])
def test_no_permission(copy, what):
    victim = {'folder': folder_of(copy), 'metadata': folder_of(copy) / 'metadata',
              'stream': streams(copy)[-1]}[what]
    open_to_all(copy)
    victim.chmod(0)
    done = subprocess.run([*unprivileged(), HAK, 'report', copy], capture_output=True, text=True,
                          timeout=SECONDS, check=False)
    assert done.returncode == 3 and done.stdout == ''
    assert str(victim) in done.stderr and 'Permission denied' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_trace_without_our_events(record):
    trace = record(line('process_start'), channels=[Channel('other:*')])
    assert complaint(hak('report', trace))


def test_a_kernel_trace(copy):
    metadata = folder_of(copy) / 'metadata'
    metadata.write_bytes(b'/* CTF 1.8 */\nenv { domain = "kernel"; };\n')
    assert 'kernel trace only' in complaint(hak('report', copy))


@pytest.mark.parametrize('damage', ['garbage', 'empty', 'cut', 'text'])
@pytest.mark.parametrize('command', COMMANDS)
def test_damaged_metadata(copy, damage, command):
    metadata = folder_of(copy) / 'metadata'
    whole = metadata.read_bytes()
    metadata.write_bytes({'garbage': os.urandom(len(whole)), 'empty': b'',
                          'cut': whole[:5000], 'text': b'hello\n'}[damage])
    assert str(copy) in complaint(hak(command, copy))


def test_events_of_another_version(copy):
    metadata = folder_of(copy) / 'metadata'
    metadata.write_bytes(metadata.read_bytes().replace(b'_from_cls', b'_from_abc'))
    said = complaint(hak('report', copy))
    assert 'slab_active has no field from_cls' in said and 'another version' in said


@pytest.mark.parametrize('cut', [1, 100, 5000, 40000])
def test_a_stream_cut_short_tells_its_story_until_there(copy, good, cut):
    victim = streams(copy)[-1]
    with open(victim, 'r+b') as file:
        file.truncate(victim.stat().st_size - cut)
    result = hak('report', copy, '--json')
    assert result.code == 0, result.err
    told = json.loads(result.out)
    (warning,) = told['warnings']
    assert str(victim) in warning and 'cut short' in warning
    assert f'warning: {warning}' in result.err
    whole = json.loads(hak('report', good, '--json').out)
    assert 0 < told['events'] <= whole['events']
    assert whole['events'] - told['events'] <= cut / 20
    verdict = hak('verify', copy)
    assert 'no violation up to' in verdict.out and verdict.code == 0, verdict.out
    assert 'not proved' in verdict.out


def test_of_a_torn_packet_every_complete_event_is_read(record, tmp_path):
    h = ready()
    for gen in range(1, 300):
        h.acquire('STAGE_2' if gen == 1 else 'STAGE_1', gen=gen)
        h.drop(gen=gen)
    trace = record(h.text())
    victim = streams(trace)[-1]
    events = json.loads(hak('report', trace, '--json').out)['events']
    seen = set()
    for cut in range(4096, 4096 + 40):
        shutil.rmtree(tmp_path / 'cut', ignore_errors=True)
        shutil.copytree(trace, tmp_path / 'cut')
        os.truncate(tmp_path / 'cut' / victim.relative_to(trace), victim.stat().st_size - cut)
        result = hak('report', tmp_path / 'cut', '--json', '--db', tmp_path / 'db')
        assert result.code == 0, result.err
        seen.add(json.loads(result.out)['events'])
    # An event is about as long as what was cut off: one more or less at a time.
    assert len(seen) <= 4 and max(seen) - min(seen) == len(seen) - 1, seen
    assert 0 < max(seen) < events


def test_garbage_in_the_middle_is_read_up_to_there(copy):
    victim = streams(copy)[-1]
    with open(victim, 'r+b') as file:
        file.seek(victim.stat().st_size // 2)
        file.write(b'\x0f' * 3000)   # an event id that no event has
    result = hak('report', copy, '--json')
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert 'damaged' in told['warnings'][0] and told['events'] > 0
    # The torn event itself may be read as something that breaks a rule.
    assert ' up to ' in hak('verify', copy).out


def test_a_stream_of_nothing(copy):
    for stream in streams(copy):
        stream.write_bytes(b'')
    assert 'no events of hakmem' in complaint(hak('report', copy))


def test_a_full_disk_leaves_nothing_behind(good, tmp_path):
    disk = tmp_path / 'disk'
    disk.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', disk], check=False,
                      capture_output=True).returncode:
        pytest.skip('may not mount')
    try:
        said = complaint(hak('report', good, '--db', disk / 'db'))
        left = list(disk.iterdir())
    finally:
        subprocess.run(['umount', '-l', disk], check=True)
    assert str(disk) in said and 'full' in said
    assert not left


def test_a_database_that_cannot_be_made(good, tmp_path):
    said = complaint(hak('report', good, '--db', tmp_path / 'none' / 'db'))
    assert 'cannot create' in said and str(tmp_path / 'none') in said


def test_the_database_is_made_once_and_used_again(copy):
    database = copy.with_name(copy.name + '.hak.sqlite')
    first = hak('report', copy, '--json').out
    made = database.stat()
    assert hak('report', copy, '--json').out == first
    hak('verify', copy)
    hak('timeline', copy)
    assert database.stat().st_mtime_ns == made.st_mtime_ns and database.stat().st_ino == made.st_ino
    later = made.st_mtime + 5
    os.utime(streams(copy)[-1], (later, later))
    assert hak('report', copy, '--json').out == first
    assert database.stat().st_ino != made.st_ino
    assert not list(copy.parent.glob('*.part'))


def test_a_plugin_of_another_version_is_said_to_be_one(copy):
    hak('report', copy)
    database = copy.with_name(copy.name + '.hak.sqlite')
    with closing(sqlite3.connect(database)) as db:
        db.execute("UPDATE meta SET number = number - 1 WHERE key = 'schema'")
        db.commit()
    with pytest.raises(HakError, match='plugin writes tables of version'):
        Database(database)


def test_one_database_for_two_traces_or_windows_is_never_mistaken(copy, record, tmp_path):
    h = ready()
    h.acquire()
    other, database = record(h.text()), tmp_path / 'db'
    counts = {trace: json.loads(hak('report', trace, '--json').out)['lives']
              for trace in (copy, other)}
    assert counts[copy] != counts[other]
    for trace in (copy, other, copy):
        told = json.loads(hak('report', trace, '--json', '--db', database).out)
        assert told['lives'] == counts[trace]
        windowed = hak('report', trace, '--json', '--db', database, '--to', '0')
        assert json.loads(windowed.out)['lives'] == 0


def test_what_is_in_the_database_s_place_is_replaced(copy):
    database = copy.with_name(copy.name + '.hak.sqlite')
    database.write_text('not a database')
    assert hak('report', copy, '--json').code == 0
    assert database.read_bytes().startswith(b'SQLite format 3')


def test_where_nothing_can_be_written_it_is_read_all_the_same(copy):
    expected = recount(copy)['lives']
    open_to_all(copy)
    copy.parent.chmod(0o555)
    try:
        done = subprocess.run([*unprivileged(), HAK, 'report', copy, '--json'],
                              capture_output=True, text=True, timeout=SECONDS, check=False)
    finally:
        copy.parent.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)['lives'] == expected
    assert not list(copy.parent.glob('*.sqlite'))


# In MiB: from where hak can just say so to where it has enough.
SIZES = (22, 26, 30, 34, 38, 42, 46, 50, 54, 58, 64, 128, 256)


@pytest.mark.parametrize('command', ['report', 'oom'])
def test_memory_that_is_short_is_not_called_damage(command, copy):
    said = {}
    for mib in SIZES:
        limit = ['prlimit', f'--as={mib << 20}', HAK]
        result = subprocess.run([*limit, command, copy], capture_output=True, text=True,
                                timeout=SECONDS, check=False)
        if result.returncode == 3:
            said[mib] = result.stderr
            continue
        assert result.returncode in (0, 1) and not result.stderr, (mib, result)
    assert 22 in said and 256 not in said, said
    for mib, text in said.items():
        assert text.startswith('hak: ') and text.count('\n') == 1, (mib, text)
        assert 'memory' in text and ('allow it more' in text and mib < 30 or
                                     f'allow hak more than {mib}.0 MiB (`ulimit -v`)' in text), text
        assert 'hak is:' not in text and 'missing' not in text, (mib, text)


@pytest.mark.parametrize('error', [
    MemoryError(), OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    ImportError('libsqlite3.so.0: failed to map segment from shared object'),
    RuntimeError("can't start new thread")])
def test_a_command_that_gets_no_memory_says_so(error, monkeypatch, capsys):
    def fail(argv):
        raise error

    monkeypatch.setattr(cli, '_dispatch', fail)
    assert cli.main(['report']) == 3
    said = capsys.readouterr().err
    assert said.startswith('hak: there is not enough memory for hak itself: '), said
    assert said.count('\n') == 1
