"""The tracer is loaded into somebody else's process: beside other preloaded libraries, and
without a word of what it is refused."""

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import running
from conftest import LIBRARY, events, named, until

HERE = Path(__file__).parent
FLAGS = ['-std=gnu11', '-O1', '-fno-builtin', '-Wall', '-Wextra', '-Werror']
# Allocates and frees enough to reach the slow paths all the time, and loads a module at last.
PROGRAM = '''
import select, sys, time
print('ready', flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    x = [bytes(n % 2000) for n in range(20000)]
    del x
    time.sleep(0.005)
import _ctypes
print('loaded', flush=True)
'''


def others(folder: Path) -> dict[str, Path]:
    wrappers = folder / 'wrappers.so'
    subprocess.run(['gcc', *FLAGS, '-fPIC', '-shared', '-o', wrappers, HERE / 'wrappers.c'],
                   check=True)
    found = sorted(Path('/usr/lib').glob('*/libeatmydata.so'))
    return {'wrappers': wrappers, **{'eatmydata': path for path in found}}


@pytest.mark.parametrize('mode', ['auto', '1'])
@pytest.mark.parametrize('order', ['{other}:{ours}', '{ours}:{other}'], ids=['in-front', 'behind'])
@pytest.mark.parametrize('name', ['wrappers', 'eatmydata'])
def test_the_tracer_is_loaded_beside_functions_that_wait_for_the_loader(
        users_daemon, name, order, mode):
    hak = users_daemon.hak
    other = others(hak.cwd)[name]
    env = {**os.environ, **hak.env, 'HAKMEM_TRACE': mode, 'PYTHONMALLOC': 'malloc'}
    env = {key: value for key, value in env.items() if value is not None}
    # env sets LD_PRELOAD last, so that runuser itself runs without; and timeout ends what hangs.
    preload = f'LD_PRELOAD={order.format(other=other, ours=LIBRARY)}'
    process = subprocess.Popen(
        [*hak.prefix, 'timeout', '-s', 'KILL', '200', 'env', preload, '/usr/bin/python3', '-c',
         PROGRAM], env=env, cwd=hak.cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == 'ready\n', 'it hangs before it begins'
    assert until(lambda: knows(users_daemon) or process.poll() is not None)
    out, _ = process.communicate('end')
    assert (process.returncode, out) == (0, 'loaded\n'), 'it hangs'
    users_daemon.lttng('stop', users_daemon.session)
    assert named(events(hak.cwd / 'theirs'), 'process_start'), 'nothing is recorded'


def knows(daemon) -> bool:
    """The daemon lists the events of a program that has told it of all of them."""
    return 'hakmem:process_start' in daemon.lttng('list', '--userspace')


# ---- locked memory ----

LOCKED = r'''
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Beyond the limit of locked memory, which does not hold for what may lock more. */
int main(void)
{
    static void *p[2000];
    char go;

    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        return perror("mlockall"), 77;
    for (int round = 0;; round++) {
        for (int i = 0; i < 2000; i++)
            if (!(p[i] = calloc(1, 20 + i * 37 % 20000)))
                return perror("calloc"), 2;
        for (int i = 0; i < 2000; i++)
            free(p[i]);
        if (!round)
            puts("ready"), fflush(stdout);
        else if (round == 200)
            break;
        usleep(5000);
    }
    return read(0, &go, 1) < 0;
}
'''


@pytest.fixture
def machine(tmp_path, mark) -> Iterator[running.Hak]:
    with running.a_machine(tmp_path, mark) as hak:
        yield hak


def root_s_daemon(hak: running.Hak) -> None:
    subprocess.run([*hak.prefix, 'lttng-sessiond', '--daemonize', '--no-kernel'], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=running.SECONDS)
    for line in (['create', 's', f'--output={hak.cwd}/out'],
                 ['enable-event', '--userspace', 'hakmem:*'], ['start']):
        subprocess.run([*hak.prefix, 'lttng', '--no-sessiond', *line], check=True,
                       stdout=subprocess.DEVNULL, env={**os.environ, 'HOME': str(hak.cwd)},
                       timeout=running.SECONDS)


def end_daemon(hak: running.Hak) -> None:
    pid = subprocess.run([*hak.prefix, 'cat', '/run/lttng/lttng-sessiond.pid'], text=True,
                         capture_output=True, check=True).stdout
    subprocess.run(['kill', pid.strip()], check=True)
    assert until(lambda: not Path(f'/proc/{pid.strip()}').exists()), 'the daemon does not end'


@pytest.mark.parametrize('mode', ['auto', '1'])
def test_locked_memory_refused_to_the_tracer_is_none_refused_to_the_program(
        machine, tmp_path, mode):
    """Root may lock more than the limit, and so may the threads of the tracer."""
    subprocess.run(['gcc', *FLAGS, '-xc', '-', '-o', tmp_path / 'locked'], input=LOCKED, text=True,
                   check=True)
    root_s_daemon(machine)
    try:
        process = subprocess.Popen(
            [*machine.prefix, 'env', f'LD_PRELOAD={LIBRARY}', f'HAKMEM_TRACE={mode}',
             tmp_path / 'locked'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 20, 1 << 20)))
        first = process.stdout.readline()
        _, said = process.communicate('x', timeout=running.SECONDS)
    finally:
        end_daemon(machine)
    if process.returncode == 77:
        pytest.skip('root may not lock memory here')
    assert (first, said, process.returncode) == ('ready\n', '', 0)
    assert named(events(tmp_path / 'out'), 'process_start'), 'nothing is recorded'
