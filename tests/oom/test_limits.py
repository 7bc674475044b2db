"""A limit that is met is named first, and what is printed as the remedy ends the failure."""

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import group
import pytest
import scenarios
from limits_scenarios import CHILD_PYTHON, LIMITED, PUPPET, Limited
from running import HAK, SECONDS, Hak, marked
from stage import PUPPET as PUPPET_PATH
from stage import Answer, asked


@dataclass
class Run:
    """`refused`: the program did not have all that it wanted."""
    trace: Path
    refused: bool
    said: str

    def answer(self) -> Answer:
        return asked(self.trace, self.pid)

    @property
    def pid(self) -> Optional[int]:
        from hak import fate

        return fate.read(self.trace).pid


def run(daemon, scenario: Limited, name: str, remedy: str = '') -> Run:
    """As a user does it, in a shell: by default, without a knob that only a test sets."""
    trace = daemon.hak.cwd / f'{scenario.name.replace(" ", "-")}-{name}'
    argv = [str(PUPPET_PATH) if word == PUPPET else word for word in scenario.argv]
    line = shlex.join([str(HAK), 'record', '-o', str(trace), '--', *argv])
    script = '\n'.join([scenario.setup, remedy, f'exec {line}'])
    orders = ''.join(f'{order}\n' for order in scenario.orders)
    env = {**os.environ, **daemon.hak.env, 'HAKMEM_OOM_REPORT': '0'}
    done = subprocess.run([*daemon.hak.prefix, 'bash', '-c', script], input=orders, text=True,
                          env={key: value for key, value in env.items() if value is not None},
                          cwd=daemon.hak.cwd, capture_output=True, timeout=SECONDS, check=False)
    said = done.stdout + done.stderr
    assert trace.is_dir(), said
    answers = done.stdout.split()[1:]
    had = [int(order.split()[2]) == int(answer)
           for order, answer in zip(scenario.orders, answers) if order.startswith('hold')]
    return Run(trace, done.returncode != 0 or not all(had)
               or len(answers) != len(scenario.orders), said)


def remedied(daemon, scenario: Limited) -> None:
    first = run(daemon, scenario, 'before')
    assert first.refused != scenario.served, first.said
    answer = first.answer()
    assert answer.causes and answer.causes[0] == scenario.cause, answer.whole
    change = answer.whole['verdicts'][0]['change']
    assert scenario.more in change, change
    again = run(daemon, scenario, 'after', change)
    assert not again.refused, (change, again.said)
    after = again.answer()
    assert scenario.cause not in after.causes, (change, after.whole)
    # Nor has it another limit's place only.
    assert not [cause for cause in after.causes if cause in RELATED], (change, after.whole)


RELATED = {'soft_cap', 'scan_limit', 'stranded_empty', 'ace_exhaustion', 'ace_threshold',
           'map_fail_unknown', *(each.cause for each in LIMITED)}


@pytest.mark.parametrize('scenario', LIMITED, ids=[each.name for each in LIMITED])
def test_the_remedy_ends_the_failure(daemon, scenario):
    remedied(daemon, scenario)


# ---- memory cgroups ----

# Says that it is there, and does the rest when it has been put into a group.
WAITS = 'import os, sys; print(os.getpid(), flush=True); sys.stdin.readline(); '
WANTS = WAITS + 'kept = [bytearray(b"x" * 100000) for _ in range(1200)]; print("had all")'


@dataclass
class Grouped:
    code: int
    out: str
    notes: str
    answer: Answer


@pytest.fixture
def limited() -> Iterator[group.Group]:
    if not group.available():
        pytest.skip('no memory cgroup can be made here')
    with group.limited(64) as made:
        yield made


def in_group(daemon, limited, name: str, *argv: str, kill: bool = False) -> Grouped:
    """Recorded by default; the program that says its number is put into the group."""
    trace = daemon.hak.cwd / f'{limited.path.name}-{name}'
    program = daemon.hak.start('record', '-o', trace, '--', *argv, stdin=subprocess.PIPE)
    pid = int(program.stdout.readline())
    limited.put(pid)
    if kill:
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(BrokenPipeError):
        program.stdin.write('go\n')
        program.stdin.flush()
    out, err = program.communicate(timeout=SECONDS)
    return Grouped(program.returncode, out, err, asked(trace, pid))


def test_who_the_kernel_killed_in_a_group_is_named_and_the_remedy_ends_it(daemon, limited):
    killed = in_group(daemon, limited, 'before', CHILD_PYTHON, '-c', WANTS)
    assert killed.code == 128 + signal.SIGKILL and 'had all' not in killed.out
    verdict = killed.answer.whole['verdicts'][0]
    assert verdict['cause'] == 'map_fail_cgroup' and verdict['weight'] == 1, killed.answer.whole
    said = verdict['evidence'][0]
    assert said['numbers']['oom_kill'] == 1 and f'/{limited.path.name} ' in said['text'], said
    assert killed.answer.whole['ended'] == 'killed by SIGKILL'
    assert 'the kernel killed for want of memory' in killed.notes
    assert 'next: hak oom ' in killed.notes
    subprocess.run(['sh', '-c', verdict['change']], check=True, timeout=SECONDS)
    after = in_group(daemon, limited, 'after', CHILD_PYTHON, '-c', WANTS)
    assert after.code == 0 and 'had all' in after.out
    assert 'map_fail_cgroup' not in after.answer.causes, after.answer.whole


def test_who_was_killed_is_told_where_a_shell_has_outlived_it(daemon, limited):
    line = f'{CHILD_PYTHON} -c {shlex.quote(WANTS)}; exit 7'
    killed = in_group(daemon, limited, 'shell', 'sh', '-c', line)
    assert killed.code == 7
    assert killed.answer.causes[0] == 'map_fail_cgroup', killed.answer.whole


def test_somebody_else_s_sigkill_in_a_group_is_no_want_of_memory(daemon, limited):
    killed = in_group(daemon, limited, 'killed', CHILD_PYTHON, '-c', WANTS, kill=True)
    assert killed.code == 128 + signal.SIGKILL
    assert killed.answer.causes == [], killed.answer.whole
    assert killed.answer.whole['ended'] == 'killed by SIGKILL'


def test_page_cache_is_not_used_memory(daemon, limited):
    """A group full of what a program has read; it is told as it is without `hak record`, too."""
    big = daemon.hak.cwd / 'big'
    big.write_bytes(bytes(200 << 20))
    big.chmod(0o644)
    forget(big)
    code = WAITS + f'f = open({str(big)!r}, "rb")\nwhile f.read(1 << 20): pass\nimport time; ' \
        'time.sleep(6)'
    with sampled(limited) as most:
        healthy = in_group(daemon, limited, 'cache', CHILD_PYTHON, '-c', code)
    big.unlink()
    assert most() > 60 << 20      # the group was full
    assert healthy.code == 0 and healthy.answer.causes == [], healthy.answer.whole
    used = cgroup_used(daemon.hak.cwd / f'{limited.path.name}-cache')
    assert used and max(used) < 40 << 20, used


def forget(file: Path) -> None:
    """Who reads it next has its page cache."""
    with open(file, 'rb') as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


# What a group of v2 would say of itself: this machine may have v1 only.
UNIFIED = '''
mount -t tmpfs none /sys/fs/cgroup || exit
cd /sys/fs/cgroup
echo 100000000 >memory.max
echo 98000000 >memory.current
printf 'anon 20000000\\nfile 77000000\\ninactive_anon 5\\n' >memory.stat
printf 'inactive_file 50000000\\nactive_file 25000000\\n' >>memory.stat
printf 'low 0\\nmax 7\\noom 3\\noom_kill 2\\noom_group_kill 0\\n' >memory.events
exec perl -e '@kept = map { "x" x 1000 } 1..20000; sleep 2'
'''


def test_a_group_of_v2_is_read_as_one_of_v1(tmp_path):
    if os.geteuid() != 0:
        pytest.skip('only root can make a namespace')
    with marked() as mark:
        done = Hak(tmp_path, mark)('record', '--private', '-o', 'unified', '--', 'unshare',
                                   '--mount', 'sh', '-c', UNIFIED)
    assert done.code == 0, done.err
    looks = [look for look in looks_at(tmp_path / 'unified')
             if look.row['cgroup_limit'] == 100_000_000]
    assert looks and {look.row['cgroup_used'] for look in looks} == {23_000_000}
    told = [look.limits for look in looks if look.limits]
    assert told and {(each['cgroup'], each['cgroup_version'], each['cgroup_kills'])
                     for each in told} == {('/', 2, 2)}


@contextlib.contextmanager
def sampled(limited: group.Group):
    """The most that was used, with page cache."""
    file = limited.path / 'memory.max_usage_in_bytes'
    yield lambda: int((file if file.exists() else limited.path / 'memory.peak').read_text())


def cgroup_used(trace: Path) -> list[int]:
    return [look.row['cgroup_used'] for look in looks_at(trace) if look.row['cgroup_limit']]


def looks_at(trace: Path) -> list:
    from hak import reading
    from hak.db import Scope
    from hak.oom.facts import Facts

    with reading.opened(reading.Request(trace), whole=True) as source:
        return [look for row in source.db.processes(Scope())
                for look in Facts(source.db, row, '').states]


# ---- limits of the whole machine ----

MAPS = '''
import ctypes, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
for _ in range(int(sys.argv[1])):
    libc.mmap(None, 4096, 0, 0x21, -1, 0)   # shared ones never become one
kept = [bytearray(400000) for _ in range(900)]
'''
LARGE = '''
import ctypes, sys
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
sys.exit(libc.malloc(int(sys.argv[1])) is None)
'''


@pytest.mark.alone
@pytest.mark.parametrize('setting, cause, code, number', [
    ('max_map_count', 'map_fail_max_map_count', MAPS,
     lambda: scenarios.MAX_MAPS + 5000 if not scenarios.TOO_MANY else 0),
    ('overcommit_memory', 'map_fail_overcommit', LARGE,
     lambda: scenarios.memory() * 5 // 4 if not scenarios.ALLOWED else 0),
])
def test_the_remedy_ends_the_failure_of_the_machine_s_limits(daemon, setting, cause, code, number):
    file = Path('/proc/sys/vm', setting)
    if not os.access(file, os.W_OK) or not number():
        pytest.skip(f'{file} cannot be tried here')
    argv = (CHILD_PYTHON, '-c', code, str(number()))
    scenario = Limited(setting, cause, ':', argv, more='sysctl')
    first = run(daemon, scenario, 'before')
    answer = first.answer()
    assert first.refused and answer.causes[0] == cause, answer.whole
    before = file.read_text()
    try:
        subprocess.run(['sh', '-c', answer.whole['verdicts'][0]['change']], check=True,
                       timeout=SECONDS)
        again = run(daemon, scenario, 'after')
    finally:
        file.write_text(before)
    assert not again.refused and cause not in again.answer().causes, again.said
