"""A recorded program closes the descriptors that it did not open, as daemons do: its exit code, its
files and its recording are what they would be if it had not."""

import subprocess

import pytest
import running
from conftest import events, named

# Closes, then has files of its own under the lowest numbers, and goes on allocating.
DAEMON = r'''
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.close_range.argtypes = [ctypes.c_uint, ctypes.c_uint, ctypes.c_int]
ALL = 2**32 - 1

def loop(last):
    for fd in range(3, last):
        libc.close(fd)

%s
assert os.listdir('.') == [], os.listdir('.')
files = [os.open(f'file.{i}', os.O_RDWR | os.O_CREAT) for i in range(40)]
assert files == list(range(3, 43)), files
for r in range(100):
    kept = [bytearray(20000 + 100 * r) for i in range(100)]
    for fd in files:
        assert os.write(fd, b'data\n') == 5
for i in range(40):
    assert open(f'file.{i}').read() == 'data\n' * 100, i
    os.close(files[i])
    try:
        os.close(files[i])
        sys.exit('closed twice')
    except OSError as e:
        assert e.errno == errno.EBADF
print('done', flush=True)
sys.exit(7)
'''
WAYS = {
    'closefrom': 'libc.closefrom(3)',
    'close_range': 'assert libc.close_range(3, ALL, 0) == 0',
    'close_range_in_its_own_table': 'assert libc.close_range(3, ALL, 2) == 0',
    'close_range_on_exec': 'assert libc.close_range(3, ALL, 4) == 0',
    'closerange': 'os.closerange(3, 256)',
    'loop': 'loop(1024)',
    'twice': 'libc.closefrom(3)\nloop(300)\nlibc.closefrom(3)',
    'in_a_child': 'if os.fork():\n    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))\n'
                  'libc.closefrom(3)',
}


@pytest.mark.parametrize('way', WAYS)
def test_a_program_that_closes_all_ends_as_it_would(hak, tmp_path, way):
    (tmp_path / 'empty').mkdir()
    result = hak('record', '-o', 'trace', '--', 'env', '-C', 'empty', '/usr/bin/python3', '-c',
                 DAEMON % WAYS[way])
    assert (result.code, result.out) == (7, 'done\n'), result.err
    assert 'nothing lost' in result.err
    # What came after the descriptors had gone was recorded as well.
    last = [line for line in events(tmp_path / 'trace') if 'procname = "python3' in line]
    assert named(last, 'ace_region_map') or named(last, 'superslab_map')


def test_a_program_s_files_get_the_numbers_that_they_would(hak):
    """Nor do its children have a descriptor more, or one that it wrote over is the tracer's."""
    script = (r"import os, sys; assert os.open('.', os.O_RDONLY) == 3; "
              r"[os.dup2(3, n, False) for n in range(4, 30)]; kept = [bytes(30000) for i in range(500)]; "
              r"os.execve('/bin/ls', ['ls', '/proc/self/fd'], {})")
    result = hak('record', '-o', 'trace', '--', '/usr/bin/python3', '-c', script)
    assert (result.code, result.out.split()) == (0, ['0', '1', '2', '3']), result.err
    assert 'nothing lost' in result.err


def test_what_is_refused_stays_refused(hak):
    script = r'''
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
libc.close_range.argtypes = [ctypes.c_uint, ctypes.c_uint, ctypes.c_int]
for arguments in (10, 3, 0), (3, 10, 64):
    assert libc.close_range(*arguments) == -1 and ctypes.get_errno() == errno.EINVAL, arguments
assert libc.close(-1) == -1 and ctypes.get_errno() == errno.EBADF
ctypes.set_errno(errno.EXDEV)
libc.closefrom(3)
assert ctypes.get_errno() == errno.EXDEV
'''
    result = hak('record', '-o', 'trace', '--', '/usr/bin/python3', '-c', script)
    assert result.code == 0, result.err


def test_shells_close_and_use_any_number(hak, tmp_path):
    script = ('exec 3</dev/null; for i in $(seq 3 255); do eval "exec $i>&-"; done; '
              'for i in $(seq 3 20); do eval "exec $i>out.$i"; done; '
              'for i in $(seq 3 20); do echo $i >&$i; done; cat out.*; exit 9')
    result = hak('record', '-o', 'trace', '--', 'bash', '-c', script)
    assert result.code == 9, result.err
    assert sorted(map(int, result.out.split())) == list(range(3, 21))


# Has taken all numbers that there are when it says so, and keeps them.
FULL = r'''
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
kept = []
try:
    while True:
        kept.append(os.dup(0))
except OSError:
    print(kept[0], flush=True)
sys.stdin.read()
'''

# Where root's session daemon would listen, and who calls it.
DAEMON_S_SOCKET = r'''
import os, socket
os.makedirs('/run/lttng', exist_ok=True)
listener = socket.socket(socket.AF_UNIX)
listener.bind('/run/lttng/lttng-ust-sock-8')
listener.listen()
listener.settimeout(%d)
listener.accept()
''' % running.SECONDS


def test_the_tracer_looks_for_a_daemon_without_the_numbers_that_a_program_gets(tmp_path, mark):
    """Root's daemon, which may have been there once: LTTng goes on calling it."""
    with running.a_machine(tmp_path, mark) as hak:
        running_program = hak.start('record', '-o', 'trace', '--', '/usr/bin/python3', '-c', FULL,
                                    stdin=subprocess.PIPE)
        try:
            assert running_program.stdout.readline() == '3\n'
            answered = subprocess.run([*hak.prefix, '/usr/bin/python3', '-c', DAEMON_S_SOCKET],
                                      timeout=running.SECONDS, check=False)
        finally:
            _, err = running_program.communicate()
    assert answered.returncode == 0
    assert running_program.returncode == 0 and 'nothing lost' in err, err
