"""hak record: the program notices nothing, the recording is there, nothing else is left."""

import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import HAK, events, named
from running import SECONDS, folder_of

# Keeps going until it is told to end, and says how it was told.
WAITS = r'''
trap 'echo got-int; exit 5' INT
trap 'echo got-term; exit 6' TERM
echo ready
while :; do sleep 0.05; done
'''


def test_a_recording_holds_the_program_s_events(hak, tmp_path):
    result = hak('record', '-o', 'trace', '--', 'ls', '/')
    assert result.code == 0, result.err
    assert 'bin' in result.out.split()
    lines = events(tmp_path / 'trace')
    started = [line for line in named(lines, 'process_start') if 'procname = "ls"' in line]
    assert len(started) == 1
    assert 'vpid = ' in started[0] and 'vtid = ' in started[0] and 'complete = 1' in started[0]
    assert named(lines, 'slab_active')
    assert 'next: hak report trace' in result.err
    assert 'nothing lost' in result.err


def test_the_counted_events_are_those_in_the_trace(hak, tmp_path):
    result = hak('record', '-o', 'trace', '--', 'ls', '/')
    counted = int(re.search(r'([\d,]+) events?', result.err)[1].replace(',', ''))
    assert counted == len(events(tmp_path / 'trace'))


def test_children_are_recorded_too(hak, tmp_path):
    assert hak('record', '-o', 'trace', '--', 'sh', '-c', 'ls / | wc -l; true').code == 0
    assert {'sh', 'ls', 'wc'} <= _programs(tmp_path / 'trace')


def _programs(trace: Path) -> set[str]:
    return {re.search(r'procname = "([^"]+)"', line)[1]
            for line in named(events(trace), 'process_start')}


@pytest.mark.parametrize('tier, present, absent', [
    ('lifecycle', {'slab_active'}, {'sll_refill', 'alloc', 'free'}),
    ('flow', {'slab_active', 'sll_refill'}, {'alloc', 'free'}),
    ('ops', {'slab_active', 'sll_refill', 'alloc', 'free'}, set()),
])
def test_a_tier_records_its_events_and_no_denser_ones(hak, tmp_path, tier, present, absent):
    result = hak('record', '-o', 'trace', '--tier', tier, '--', 'sort', HAK)
    assert result.code == 0, result.err
    seen = {re.search(r'hakmem:(\w+):', line)[1] for line in events(tmp_path / 'trace')}
    assert present <= seen
    assert not absent & seen


def test_dense_events_that_are_lost_take_no_rare_ones_with_them(hak, tmp_path):
    busy = 'x = 0\nfor i in range(300000): x = bytes(600 + i % 50)\n'
    result = hak('record', '-o', 'trace', '--tier', 'ops', '--buffer-size', '4K', '--subbufs', '2',
                 '--', '/usr/bin/python3', '-c', busy)
    assert result.code == 0, result.err
    assert re.search(r'[1-9][\d,]* events lost', result.err), result.err
    assert '--buffer-size' in result.err
    assert 'python3' in _programs(tmp_path / 'trace')


def test_the_default_directory_is_new_and_named_after_the_program(hak, tmp_path):
    for _ in range(2):
        assert hak('record', '--', 'true').code == 0
    made = sorted(path.name for path in tmp_path.iterdir())
    assert len(made) == 2
    assert all(re.fullmatch(r'hakmem-true-\d{8}-\d{6}(-\d+)?', name) for name in made)


@pytest.mark.parametrize('arguments', [
    ['a b', "it's", 'say "x"', 'line\nbreak', '$HOME', '*', '', '\\', '--', '-o', '--help'],
    ['\udcff\udcfe', 'ä', '語'],
])
def test_arguments_arrive_as_they_are(hak, arguments):
    program = 'import os, sys; sys.stdout.write(repr(sys.argv[1:]))'
    # `-c CODE` ends python's own options; the rest are the program's.
    result = hak('record', '-o', 'trace', '--', '/usr/bin/python3', '-c', program, *arguments)
    assert result.code == 0, result.err
    assert result.out == repr(arguments)


def test_the_dashes_before_the_program_may_be_left_out(hak):
    result = hak('record', '-o', 'trace', 'echo', '-n', '--', 'x')
    assert (result.code, result.out) == (0, '-- x')


def test_stdin_stdout_and_stderr_are_the_program_s(hak, tmp_path):
    (tmp_path / 'in').write_bytes(b'\0\xff text')
    with open(tmp_path / 'in', 'rb') as stdin:
        result = hak('record', '-o', 'trace', '--', 'sh', '-c', 'cat; echo complaint >&2',
                     stdin=stdin)
    assert result.out.encode(errors='surrogateescape') == b'\0\xff text'
    assert 'complaint\n' in result.err


def test_other_open_files_reach_the_program(hak, tmp_path):
    (tmp_path / 'third').write_text('from fd 9')
    hak.prefix = ['sh', '-c', 'exec 9<third; exec "$@"', 'sh']
    result = hak('record', '-o', 'trace', '--', 'sh', '-c', 'cat <&9')
    assert result.out == 'from fd 9'


def test_the_user_s_own_preload_stays(hak):
    other = next(Path('/usr/lib').glob('*-linux-gnu/libSegFault.so'), None) or next(
        Path('/usr/lib').glob('*-linux-gnu/libz.so.1'))
    result = hak('record', '-o', 'trace', '--', 'sh', '-c', 'echo $LD_PRELOAD',
                 env={'LD_PRELOAD': str(other)})
    first, second = result.out.strip().split(':')
    assert first.endswith('libhakmem.so') and second == str(other)


@pytest.mark.parametrize('script, code', [
    ('exit 0', 0), ('exit 7', 7), ('kill -TERM $$', 143), ('kill -KILL $$', 137),
    ('kill -SEGV $$', 139)])
def test_the_exit_code_is_the_program_s(hak, tmp_path, script, code):
    assert hak('record', '-o', 'trace', '--', 'sh', '-c', f'ulimit -c 0; {script}').code == code
    assert named(events(tmp_path / 'trace'), 'process_start')


def test_sigterm_to_hak_reaches_the_program(hak, tmp_path):
    running = hak.start('record', '-o', 'trace', '--', 'sh', '-c', WAITS)
    assert running.stdout.readline() == 'ready\n'
    running.terminate()
    out, err = running.communicate(timeout=SECONDS)
    assert (out, running.returncode) == ('got-term\n', 6), err
    assert named(events(tmp_path / 'trace'), 'process_start')


def test_sigint_of_a_process_reaches_the_program(hak):
    running = hak.start('record', '-o', 'trace', '--', 'sh', '-c', WAITS)
    assert running.stdout.readline() == 'ready\n'
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=SECONDS)
    assert (out, running.returncode) == ('got-int\n', 5), err


def test_ctrl_c_on_a_terminal_reaches_the_program_once(hak, tmp_path):
    command = [str(HAK), 'record', '-o', 'trace', '--', 'sh', '-c', WAITS]
    said, code = _on_terminal(command, tmp_path, {b'ready': b'\x03'}, hak.mark)
    assert code == 5
    assert said.count('got-int') == 1
    assert 'hak: recorded trace' in said
    assert named(events(tmp_path / 'trace'), 'process_start')


def test_ctrl_z_stops_and_fg_continues(hak, tmp_path):
    shell = shlex.join([str(HAK), 'record', '-o', 'trace', '--', 'sh', '-c',
                        'echo ready; sleep 1; echo through'])
    said, _ = _on_terminal(['bash', '--norc', '-i'], tmp_path, {
        b'$ ': shell.encode() + b'\n', b'ready\r\n': b'\x1a', b'Stopped': b'fg\n',
        b'through\r\n': b'', b'next: hak': b'exit\n'}, hak.mark)
    assert 'hak: recorded trace' in said
    assert named(events(tmp_path / 'trace'), 'process_start')


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_being_ended_before_the_program_runs_leaves_nothing(hak, tmp_path, number):
    for delay in (0.05, 0.1, 0.2, 0.3, 0.4):
        trace = tmp_path / f'trace{delay}'
        running = hak.start('record', '-o', trace, '--', 'sh', '-c', 'echo runs; sleep 0.1')
        time.sleep(delay)
        running.send_signal(number)
        out, err = running.communicate(timeout=SECONDS)
        if out:
            # Late: the program got it, or had ended.
            assert running.returncode in (0, 128 + number), err
        else:
            # The earliest signals find no hak yet.
            assert running.returncode in (-number, 128 + number), err
            assert 'hak: ' in err or not trace.exists()


def test_an_interrupt_at_any_moment_of_the_start_ends_hak_without_a_traceback(hak):
    for moment in range(40):
        running = hak.start('config')
        time.sleep(moment / 500)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=SECONDS)
        assert (running.returncode in (-signal.SIGINT, 128 + signal.SIGINT, 0), err) == (True, ''), (
            moment, running.returncode)


@pytest.mark.parametrize('options', [[], ['--private']])
def test_two_at_once_do_not_disturb_each_other(hak, tmp_path, options):
    both = [hak.start('record', *options, '-o', f'trace-{tool}', '--', 'sh', '-c',
                      f'sleep {seconds}; {tool} {HAK}')
            for tool, seconds in (('wc', 0.5), ('sort', 1.5))]
    for running in both:
        _, err = running.communicate(timeout=SECONDS)
        assert running.returncode == 0, err
    for tool, other in (('wc', 'sort'), ('sort', 'wc')):
        programs = _programs(tmp_path / f'trace-{tool}')
        assert tool in programs
        # If they share a daemon that was running, each sees the other's programs too.
        assert not options or other not in programs


def test_a_program_with_little_address_space_is_recorded(hak, tmp_path):
    script = 'ulimit -v 400000; exec "$@"'
    done = subprocess.run(['sh', '-c', script, 'sh', HAK, 'record', '-o', 'trace', '--', 'sh', '-c',
                           'ulimit -v'], cwd=tmp_path, capture_output=True, text=True,
                          timeout=SECONDS, check=False)
    assert (done.returncode, done.stdout) == (0, '400000\n'), done.stderr
    assert named(events(tmp_path / 'trace'), 'process_start')


def test_a_program_with_little_private_memory_is_recorded(hak, tmp_path):
    """Where that is too little for the session daemon, hak says how to limit the program alone."""
    script = 'ulimit -d {}; exec "$@"'
    done, refused = (subprocess.run(['sh', '-c', script.format(most), 'sh', HAK, 'record', '-o',
                                     f'{most}', '--', 'sh', '-c', 'ulimit -d'], cwd=tmp_path,
                                    capture_output=True, text=True, timeout=SECONDS,
                                    check=False) for most in (60000, 30000))
    assert (done.returncode, done.stdout) == (0, '60000\n'), done.stderr
    if refused.returncode:   # root may go beyond it
        assert 'alone: hak record' in refused.stderr
        change = refused.stderr.partition('alone: hak ')[2].strip().replace('exec CMD', 'ulimit -d')
        again = hak(*shlex.split(change.replace('record', 'record -o trace', 1)))
        assert (again.code, again.out) == (0, '30000\n'), again.err


def test_a_program_beside_us_may_be_called_anything(hak, tmp_path):
    """Found where its path says, and its name's bytes are read as what they are: any."""
    name = '<b>\udcff"x'
    shutil.copy(shutil.which('ls'), tmp_path / name)
    result = hak('record', '-o', 'trace', '--', f'./{name}', '/')
    assert result.code == 0 and 'bin' in result.out.split(), result.err
    told = json.loads(hak('report', 'trace', '--json').out)
    assert [process['name'] for process in told['processes']] == ['<b>\ufffd"x']
    for command in (('export', 'trace', '--ndjson', '-'), ('timeline', 'trace'),
                    ('diff', 'trace', 'trace', '--html', 'page')):
        result = hak(*command)
        assert result.code == 0, result.err
    assert '<b>' not in (tmp_path / 'page').read_text()


def test_a_directory_with_odd_characters(hak, tmp_path):
    name = "it's a % of: 語"
    assert hak('record', '-o', name, '--', 'true').code == 0
    assert named(events(tmp_path / name), 'process_start')


@pytest.mark.skipif(not os.access('/run', os.W_OK), reason='needs a writable /run')
def test_a_directory_under_run(hak):
    folder = Path(f'/run/hak-test-{os.getpid()}')
    try:
        assert hak('record', '-o', folder, '--', 'true').code == 0
        assert named(events(folder), 'process_start')
    finally:
        subprocess.run(['rm', '-rf', folder], check=True)


def test_a_full_disk_is_told_and_the_program_goes_on(hak, tmp_path):
    disk = tmp_path / 'disk'
    disk.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk], check=False,
                      capture_output=True).returncode != 0:
        pytest.skip('may not mount')
    busy = 'x = 0\nfor i in range(100000): x = bytes(600 + i % 50)\nprint("through")\n'
    try:
        result = hak('record', '-o', disk / 'trace', '--tier', 'ops', '--', '/usr/bin/python3',
                     '-c', busy)
    finally:
        subprocess.run(['umount', '-l', disk], check=True)
    assert (result.code, result.out) == (0, 'through\n')
    assert any('full' in line or 'No space' in line for line in result.notes()), result.err


def test_env_prints_what_makes_a_program_traced(hak):
    done = subprocess.run(['sh', '-c', f'eval "$({HAK} env)"; exec env'], capture_output=True,
                          text=True, timeout=SECONDS, check=True)
    lines = done.stdout.splitlines()
    assert 'HAKMEM_TRACE=1' in lines
    assert any(re.fullmatch(r'LD_PRELOAD=.*/libhakmem\.so', line) for line in lines)
    plain = hak('env', '--plain').out.splitlines()
    assert set(plain) <= set(lines)


def _on_terminal(command, cwd, answers: dict[bytes, bytes], mark: str) -> tuple[str, int]:
    """Runs a command on a terminal of its own; each answer is typed when its cue has appeared."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.environ.update(HAK_TEST_MARK=mark, TMPDIR=str(folder_of(mark)), PS1='$ ', TERM='dumb')
        os.execvp(command[0], [str(word) for word in command])
    said, seen, waiting = b'', 0, list(answers.items())
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                said += os.read(terminal, 4096)
            except OSError:
                break
        if waiting and (at := said.find(waiting[0][0], seen)) >= 0:
            cue, answer = waiting.pop(0)
            seen = at + len(cue)
            os.write(terminal, answer)
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return said.decode(errors='replace'), os.waitstatus_to_exitcode(status)


def test_a_program_that_runs_ours_under_valgrind_is_recorded(hak):
    """Callgrind puts no malloc of its own in front."""
    result = hak('record', '-o', 'trace', '--', 'valgrind', '--tool=callgrind',
                 '--callgrind-out-file=/dev/null', 'ls', '/')
    assert result.code == 0, result.err
    assert 'nothing is recorded' not in result.err
    starts = named(events(hak.cwd / 'trace'), 'process_start')
    names = re.findall(r'procname = "([^"]*)"', '\n'.join(starts))
    assert len({*names} - {'valgrind', 'valgrind.bin'}) == 1, names
