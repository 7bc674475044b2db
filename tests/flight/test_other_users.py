"""Root's flight on a machine where other users do what they can."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Flight, until
import running

STRANGER = 54321
# Takes every name of flight's that it has seen, and those that can be guessed, over and over: with
# folders of its own, with links to where root must not write.
SPINS = '''
import os, sys
place, prey, guesses = sys.argv[1], sys.argv[2], set(sys.argv[3:])
turn = 0
while True:
    guesses.update(name for name in os.listdir(place) if 'flight' in name)
    for name in guesses:
        path, turn = f'{place}/{name}', turn + 1
        try:
            os.symlink(prey, path) if turn % 3 == 0 else os.mkdir(path, 0o777)
            for inner in ('live', 'kept') if turn % 3 else ():
                os.symlink(prey, f'{path}/{inner}')
        except OSError:
            pass
'''


@pytest.fixture
def roots_flight(tmp_path, mark) -> Iterator[Flight]:
    with running.a_machine(tmp_path, mark) as hak:
        yield Flight(hak, tmp_path)
        stopped = hak('flight', 'stop')
        assert stopped.code == 0, stopped.err


@pytest.fixture
def theirs(tmp_path) -> Path:
    """A folder of the stranger's, who can get there."""
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    folder = tmp_path / 'theirs'
    folder.mkdir()
    os.chown(folder, STRANGER, STRANGER)
    return folder


def on_it(flight: Flight, *command) -> str:
    """What it prints, run by root on the machine."""
    return subprocess.run([*flight.hak.prefix, *map(str, command)], capture_output=True, text=True,
                          timeout=running.SECONDS, check=True).stdout


def by_stranger(flight: Flight, *command) -> subprocess.Popen:
    return subprocess.Popen([*flight.hak.prefix, *running.as_user(STRANGER), *map(str, command)],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def spinning(flight: Flight, *args) -> Iterator[None]:
    spinner = by_stranger(flight, '/usr/bin/python3', '-c', SPINS, *args)
    try:
        yield
        assert spinner.poll() is None, 'the stranger has given up'
    finally:
        spinner.kill()
        spinner.wait()


def one_line(result: running.Result, says: str) -> None:
    assert (result.code, len(result.err.splitlines())) == (3, 1), result.err
    assert says in result.err and 'Traceback' not in result.err, result.err


def test_a_stranger_who_takes_every_name_never_owns_the_shared_memory(roots_flight, theirs):
    flight = roots_flight
    fixed = 'hak-flight-0-'
    assert flight('start').code == 0
    name = flight.status()['session']['name']
    assert name.startswith(fixed)
    assert flight('stop').code == 0
    seen = set()
    with spinning(flight, '/dev/shm', theirs, name, f'{name}-0'):
        assert until(lambda: name in on_it(flight, 'ls', '/dev/shm').split())
        for _ in range(4):
            started = flight('start')
            assert started.code == 0, started.err
            path = flight.status()['shm']['path']
            kind = on_it(flight, 'stat', '-c', '%u %a %F', path, f'{path}/live', f'{path}/kept')
            assert kind == '0 700 directory\n' * 3
            seen.add(path)
            program = flight.program('double_free', attached=False, HAKMEM_TRACE='1')
            assert until(lambda: flight.attached(program))
            flight.dump()
            program.end()
            assert flight('stop').code == 0
    assert len(seen) == 4 and not list(theirs.iterdir())


@pytest.mark.parametrize('option', ['--shm', '--output'])
def test_a_place_that_others_could_exchange_is_refused(roots_flight, theirs, option):
    flight, cwd = roots_flight, roots_flight.hak.cwd
    open_to_all = cwd / 'open'
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (cwd / 'target').mkdir()
    link = theirs / 'link'
    link.symlink_to(cwd / 'target')
    os.lchown(link, STRANGER, STRANGER)
    sticky = cwd / 'sticky'
    sticky.mkdir()
    sticky.chmod(0o1777)
    stray = sticky / 'stray'
    stray.symlink_to(cwd / 'target')
    os.lchown(stray, STRANGER, STRANGER)
    for path, says in ((theirs, f'{theirs} belongs to user {STRANGER}'),
                       (theirs / 'new', f'{theirs} belongs to user {STRANGER}'),
                       (link, f'{theirs} belongs to user {STRANGER}'),
                       (link / 'new', f'{theirs} belongs to user {STRANGER}'),
                       (open_to_all / 'new', f'{open_to_all} can be written to by other users'),
                       (stray, f'{stray} is a link of user {STRANGER}')):
        result = flight('start', option, path)
        one_line(result, says)
        assert f'name another with {option}' in result.err
    # Where everybody makes files, what nobody can guess is safe, and what LTTng names is not.
    result = flight('start', option, sticky)
    if option == '--shm':
        assert result.code == 0, result.err
        assert Path(flight.status()['shm']['path']).parent == sticky
        assert flight('stop').code == 0
    else:
        one_line(result, f'{sticky} can be written to by other users')
    assert {path.name for path in theirs.iterdir()} == {'link'}
    assert not list((cwd / 'target').iterdir()) and not list(open_to_all.iterdir())
    assert flight.status()['state'] == 'off'


def test_a_dump_goes_to_no_place_that_others_could_exchange(roots_flight, theirs):
    flight = roots_flight
    assert flight('start').code == 0
    flight.program('double_free', attached=False)
    one_line(flight('dump', '-o', theirs), f'{theirs} belongs to user {STRANGER}')
    assert not list(theirs.iterdir())


def test_another_user_s_state_is_not_root_s(roots_flight, theirs):
    """As after sudo that keeps the environment."""
    folder = theirs / 'hakmem/flight'
    folder.mkdir(parents=True)
    (folder / 'state.json').write_text('{}')
    for path in (folder, folder.parent, folder / 'state.json'):
        os.chown(path, STRANGER, STRANGER)
    before = sorted(theirs.rglob('*'))
    for verb in ('start', 'status', 'dump', 'stop'):
        result = roots_flight(verb, env={'XDG_STATE_HOME': str(theirs)})
        one_line(result, f'belongs to user {STRANGER}')
        assert 'set XDG_STATE_HOME to a folder of your own' in result.err
    assert sorted(theirs.rglob('*')) == before


def test_links_in_place_of_root_s_own_files_are_not_followed(roots_flight):
    flight = roots_flight
    cwd = flight.hak.cwd
    state, victim = cwd / 'state', cwd / 'victim'
    folder = state / 'hakmem/flight'
    victim.mkdir()
    (victim / 'pid').write_text('precious')
    (victim / 'file').write_text('precious')
    env = {'XDG_STATE_HOME': str(state)}
    for name in ('lock', 'state.json', 'watch.json', 'watch.log', 'sessiond', 'snapshots'):
        for target in (victim / 'file', victim):
            folder.mkdir(parents=True, mode=0o700)
            (folder / name).symlink_to(target)
            results = [flight(verb, env=env) for verb in ('start', 'status', 'stop')]
            for result in results:
                assert 'Traceback' not in result.err and result.code in (0, 1, 3), result.err
                assert result.code != 3 or len(result.err.splitlines()) == 1, result.err
            if name == 'snapshots' and target == victim:   # root may lead them elsewhere
                assert results[0].code == 0, results[0].err
            assert {path.name for path in victim.iterdir()} == {'pid', 'file'}
            assert (victim / 'pid').read_text() == (victim / 'file').read_text() == 'precious'
            for path in (folder / 'lock', folder / name):
                path.unlink(missing_ok=True) if not path.is_dir() or path.is_symlink() else None
            flight('stop', env=env)
            on_it(flight, 'rm', '-rf', state)


def test_a_full_disk_gets_a_line_and_leaves_nothing(roots_flight):
    flight = roots_flight
    full = flight.hak.cwd / 'full'
    full.mkdir()
    on_it(flight, 'mount', '-t', 'tmpfs', '-o', 'size=256k,mode=700', 'none', full)
    env = {'XDG_STATE_HOME': str(full)}
    out = ('--output', flight.hak.cwd / 'out')
    on_it(flight, 'sh', '-c', f'head -c 1M /dev/zero > {full}/filler || true')
    one_line(flight('start', *out, env=env), 'No space left on device')
    assert flight('status', env=env).code in (1, 3)
    assert until(lambda: not running.session_daemons(flight.hak.mark))
    assert 'hak-flight' not in on_it(flight, 'ls', '/dev/shm')
    # It fills while flight is on.
    on_it(flight, 'rm', full / 'filler')
    assert flight('start', *out, env=env).code == 0
    on_it(flight, 'sh', '-c', f'head -c 1M /dev/zero > {full}/filler || true')
    assert flight('stop', env=env).code == 0
    assert flight('status', env=env).out == 'flight is off: run `hak flight start`\n'
    assert until(lambda: not running._marked(flight.hak.mark))
    assert 'hak-flight' not in on_it(flight, 'ls', '/dev/shm')


def test_a_state_folder_that_cannot_be_written_gets_a_line(user_hak):
    state = Path(user_hak.env['HOME']) / '.local/state'
    (state / 'hakmem').mkdir(parents=True)
    if user_hak.prefix:
        for path in (state / 'hakmem', state, state.parent):
            os.chown(path, 65534, 65534)
    (state / 'hakmem').chmod(0o500)
    one_line(user_hak('flight', 'start'), 'hakmem/flight: Permission denied: set XDG_STATE_HOME')
    (state / 'hakmem').chmod(0o700)
    flight = state / 'hakmem/flight'
    flight.mkdir(mode=0o500)
    if user_hak.prefix:
        os.chown(flight, 65534, 65534)
    one_line(user_hak('flight', 'start'), 'lock: Permission denied: set XDG_STATE_HOME')
    flight.chmod(0o700)


NAMES = [b'a\x01\x1b[31mb', b'\xff\xfe\x80', b'&<>"\'', b']]>', b'&#1;&#x1b;', b'</name>\x0b',
         b'\xc2\x9b2J', b'\xe2\x80\xae', b'new\nline']


def test_whatever_a_user_calls_his_process_root_s_flight_works(roots_flight):
    flight = roots_flight
    assert flight('start').code == 0
    programs = []
    for name in NAMES:
        flight.hak.prefix += running.as_user(STRANGER)
        runs = 'exec -a "$0" perl -e \'$| = 1; print "ready\\n"; <STDIN>\''
        try:
            programs.append(flight.hak.launch('bash', '-c', runs, os.fsdecode(name),
                                              env={'HOME': '/nonexistent'}))
        finally:
            del flight.hak.prefix[-4:]
        assert programs[-1].stdout.readline() == 'ready\n'
    pids = {program.pid for program in programs}
    assert until(lambda: pids <= {each['pid'] for each in flight.status()['processes']})
    status = flight('status')
    assert status.code == 0, status.err
    assert flight('start').notes() == ['hak: flight is on already']
    for text in (status.out, status.err):
        assert not {each for each in text if each != '\n' and not each.isprintable()}
    for program in programs:
        program.communicate(timeout=running.SECONDS)
