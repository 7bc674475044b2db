"""HAKMEM_TRACE: when the tracer is loaded, and that nobody pays who does not record."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ROOT, events, named, until
from running import SECONDS

LIBRARY = ROOT / 'build/trace/libhakmem.so'
# Allocates and frees enough to reach the slow paths all the time, until its stdin ends.
PROGRAM = '''
import select, sys, time
print('ready', flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    x = [bytes(n % 2000) for n in range(20000)]
    del x
    time.sleep(0.005)
'''


@pytest.fixture
def program(user_hak):
    started = []

    def start(**env) -> subprocess.Popen:
        environment = {**os.environ, **user_hak.env, 'LD_PRELOAD': str(LIBRARY),
                       'PYTHONMALLOC': 'malloc', **env}
        environment = {key: value for key, value in environment.items() if value is not None}
        # env sets LD_PRELOAD last, so that runuser itself runs without.
        preload = ['env', f'LD_PRELOAD={environment.pop("LD_PRELOAD")}']
        process = subprocess.Popen(
            [*user_hak.prefix, *preload, '/usr/bin/python3', '-c', PROGRAM], env=environment,
            cwd=user_hak.cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == 'ready\n'
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def end(process: subprocess.Popen) -> int:
    process.stdin.close()
    return process.wait(timeout=SECONDS)


def pids(process: subprocess.Popen) -> list[int]:
    """The process itself and what runuser made of it."""
    children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
    return [int(pid) for pid in children] or [process.pid]


def maps(process: subprocess.Popen) -> str:
    return Path(f'/proc/{pids(process)[-1]}/maps').read_text()


def threads(process: subprocess.Popen) -> int:
    return len(os.listdir(f'/proc/{pids(process)[-1]}/task'))


def a_daemon_of_root_s_runs() -> bool:
    """Every process finds it, whoever runs it."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex('/var/run/lttng/lttng-ust-sock-8') == 0


@pytest.mark.parametrize('mode', ['auto', '0', None])
def test_without_a_daemon_nothing_is_loaded_and_no_thread_made(program, mode):
    # Without the tick's helper, which has other reasons to be.
    process = program(HAKMEM_TRACE=mode, HAKMEM_TICK='0')
    # Long enough for several looks for a daemon.
    changed = until(lambda: 'lttng' in maps(process) or threads(process) > 1, seconds=1)
    if mode != '0' and a_daemon_of_root_s_runs():
        pytest.skip('a session daemon of root runs')
    assert not changed
    assert 'libhakmem.so' in maps(process)
    assert end(process) == 0


def test_auto_loads_the_tracer_when_a_daemon_appears(program, request):
    process = program(HAKMEM_TRACE='auto')
    daemon = request.getfixturevalue('users_daemon')
    assert until(lambda: 'libhakmem-lttng.so' in maps(process)), 'the tracer is not loaded'
    assert not until(lambda: process.poll() is not None, seconds=1)
    assert end(process) == 0
    daemon.lttng('stop', daemon.session)
    lines = events(daemon.hak.cwd / 'theirs')
    start = named(lines, 'process_start')
    assert start and all('complete = 0' in line for line in start), start
    assert named(lines, 'slab_active'), 'no transition after the tracer was loaded'
    # What came before, the state dump tells.
    assert named(lines, 'statedump_end') and named(lines, 'statedump_slab')
    assert any('DUMP_SESSION' in line for line in named(lines, 'statedump_begin'))
    stands_on_a_dump(daemon.hak, daemon.hak.cwd / 'theirs')


def stands_on_a_dump(hak, trace: Path) -> dict:
    """What came before is known, and what comes after agrees with it."""
    result = hak('verify', trace, '--json')
    assert result.code == 0, result.out + result.err
    verdict = json.loads(result.out)
    base, *others = verdict['bases']
    assert base['time'] and base['slabs'] and not others, verdict['bases']
    assert verdict['dumps']['complete'] and verdict['carried'], verdict['dumps']
    assert verdict['explained'] == 0, verdict['unknown']
    lives = json.loads(hak('timeline', trace, '--json').out)['items']
    assert any(life['dumped'] for life in lives)
    return verdict


def test_transitions_that_are_recorded_later_than_dumps(program, users_daemon):
    """A dump from when nobody recorded how slabs change hands is no base; another comes."""
    user = users_daemon
    user.lttng('destroy', user.session)
    user.lttng('create', user.session, f'--output={user.hak.cwd}/late')
    enable = ('enable-event', '--userspace', '--session', user.session)
    user.lttng(*enable, 'hakmem:statedump_*')
    user.lttng('start', user.session)
    process = program(HAKMEM_TRACE='1', HAKMEM_TICK='50')
    time.sleep(0.5)
    # Of a session that runs they would begin one after the other, and what comes between be half told.
    user.lttng('stop', user.session)
    user.lttng(*enable, ','.join(f'hakmem:{name}' for name in (
        'superslab_*', 'slab_*', 'acquire_*', 'shared_fail', 'thread_*')))
    user.lttng('start', user.session)
    time.sleep(1)
    user.lttng('stop', user.session)
    assert end(process) == 0
    lines = events(user.hak.cwd / 'late')
    begins = named(lines, 'statedump_begin')
    assert 'transitions = 0' in begins[0] and 'transitions = 1' in begins[-1], begins
    assert all('DUMP_SESSION' in line for line in begins), begins
    assert named(lines, 'slab_release')
    stands_on_a_dump(user.hak, user.hak.cwd / 'late')


def test_zero_never_loads_it(program, request):
    process = program(HAKMEM_TRACE='0')
    request.getfixturevalue('users_daemon')
    assert not until(lambda: 'lttng' in maps(process), seconds=1)
    assert end(process) == 0


def test_one_without_the_provider_says_so_and_runs(tmp_path):
    alone = tmp_path / 'libhakmem.so'
    alone.write_bytes(LIBRARY.read_bytes())
    done = subprocess.run(['echo', 'runs'], capture_output=True, text=True, check=False,
                          timeout=SECONDS, env={**os.environ, 'LD_PRELOAD': str(alone), 'HAKMEM_TRACE': '1'})
    assert (done.returncode, done.stdout) == (0, 'runs\n')
    assert done.stderr.count('\n') == 1 and 'libhakmem-lttng.so' in done.stderr, done.stderr


# LTTng's start forks a process to make its shared memory where that is not there yet.
FORKS_WHEN_LOADED = '''
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
static long waits(void)
{
    struct rusage used;
    getrusage(RUSAGE_THREAD, &used);
    return used.ru_nvcsw;
}
__attribute__((constructor)) static void start(void)
{
    long before = waits();
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    dprintf(2, "fork waited %ld times\\n", waits() - before);
    waitpid(child, 0, 0);
}
'''


def test_a_tracer_that_forks_while_it_is_loaded_waits_for_nobody(tmp_path):
    (tmp_path / 'libhakmem.so').write_bytes(LIBRARY.read_bytes())
    subprocess.run(['gcc', '-shared', '-fPIC', '-xc', '-', '-o', tmp_path / 'libhakmem-lttng.so'],
                   input=FORKS_WHEN_LOADED, text=True, check=True)
    done = subprocess.run(['echo', 'runs'], capture_output=True, text=True, check=False,
                          timeout=SECONDS,
                          env={**os.environ, 'LD_PRELOAD': str(tmp_path / 'libhakmem.so'),
                               'HAKMEM_TRACE': '1'})
    assert (done.returncode, done.stdout) == (0, 'runs\n')
    assert 'fork waited 0 times' in done.stderr, done.stderr


# Loaded by the helper thread; forks when the program's own thread waits in fork() for the loading to
# end.
FORKS_BESIDE_A_FORK = '''
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern _Atomic int stage;

static char state_of_the_first_thread(void)
{
    char path[64], text[256] = "";
    int fd;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)getpid());
    fd = open(path, O_RDONLY);
    read(fd, text, sizeof text - 1);
    close(fd);
    return strrchr(text, ')')[2];
}

__attribute__((constructor)) static void start(void)
{
    pid_t child;

    stage = 1;
    while (stage < 2 || state_of_the_first_thread() != 'S')
        usleep(100);
    child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, 0, 0);
}
'''
FORKS_WHILE_IT_IS_LOADED = '''
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

_Atomic int stage;

static void forking(void)
{
    stage = 2;
}

static void *allocate(void *unused)
{
    void *p[300];

    for (int i = 0; i < 300; i++)
        p[i] = malloc(i * 997 % 70000);
    for (int i = 0; i < 300; i++)
        free(p[i]);
    return unused;
}

static void allocate_in_a_thread(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, allocate, NULL);
    pthread_join(thread, NULL);
}

int main(void)
{
    int status = -1;
    pid_t child;

    alarm(200);
    for (; !stage; usleep(1000))
        allocate(NULL);
    pthread_atfork(forking, NULL, NULL);
    child = fork();
    if (child == 0)
        alarm(200);
    allocate_in_a_thread();
    if (child == 0)
        _exit(0);
    waitpid(child, &status, 0);
    return status != 0;
}
'''


def run_beside_a_tracer(folder: Path, tracer: str, program: str, *flags: str) -> None:
    """The program ends well that loads such a tracer by a helper thread."""
    (folder / 'libhakmem.so').write_bytes(LIBRARY.read_bytes())
    build = ['gcc', '-fno-builtin', '-pthread', *flags, '-xc', '-']
    subprocess.run([*build, '-shared', '-fPIC', '-o', folder / 'libhakmem-lttng.so'],
                   input=tracer, text=True, check=True)
    subprocess.run([*build, '-rdynamic', '-o', folder / 'program'], input=program, text=True,
                   check=True)
    # Somebody has to listen, or the tracer is not loaded.
    (folder / '.lttng').mkdir()
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(folder / '.lttng/lttng-ust-sock-8'))
        daemon.listen()
        done = subprocess.run([folder / 'program'], timeout=SECONDS, check=False,
                              env={**os.environ, 'LD_PRELOAD': str(folder / 'libhakmem.so'),
                                   'LTTNG_HOME': str(folder), 'HAKMEM_TRACE': 'auto'})
    assert done.returncode == 0


def test_a_tracer_that_forks_while_the_program_forks_leaves_no_lock_taken(tmp_path):
    run_beside_a_tracer(tmp_path, FORKS_BESIDE_A_FORK, FORKS_WHILE_IT_IS_LOADED)


# A thread that stays, as LTTng's do.
STAYS_WHEN_LOADED = '''
#include <pthread.h>
#include <unistd.h>

extern _Atomic int stage;

static void *stay(void *unused)
{
    stage = 1;
    for (;;)
        pause();
    return unused;
}

__attribute__((constructor)) static void start(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, stay, NULL);
}
'''
# Root gives up being root; who is not stays who he is.
GIVES_UP_ROOT = '''
#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

_Atomic int stage;

int main(void)
{
    gid_t group = 65534;

    alarm(200);
    for (; !stage; usleep(1000)) {
        void *p[300];

        for (int i = 0; i < 300; i++)
            p[i] = malloc(i * 997 % 70000);
        for (int i = 0; i < 300; i++)
            free(p[i]);
    }
    if (geteuid() != 0)
        return setuid(getuid()) != 0;
    return setgroups(1, &group) != 0 || setgid(group) != 0 || setuid(group) != 0;
}
'''


def test_a_daemon_gives_up_root_beside_a_tracer_s_threads(tmp_path):
    run_beside_a_tracer(tmp_path, STAYS_WHEN_LOADED, GIVES_UP_ROOT, '-Wl,-z,nodelete')
