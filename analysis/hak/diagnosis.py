"""The checks of `hak doctor`. Each looks at one thing and says what it saw; none changes
anything."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hak import buffers, catalogue, daemon, paths, preload, ui
from hak.errors import HakError

SECONDS = 20
OK, NOTE, PROBLEM = 'ok', 'note', 'problem'


@dataclass(frozen=True)
class Finding:
    what: str
    verdict: str
    detail: str
    fix: str = ''

    def text(self) -> str:
        return f'{self.what}: {self.detail}' + (f': {self.fix}' if self.fix else '')


def examine(full: bool = False) -> list[Finding]:
    checks = [*CHECKS, _recording] if full else CHECKS
    return [finding for check in checks for finding in check()]


def _tools() -> Iterator[Finding]:
    """Programs: name, argument that prints the version, package, what it is for if optional."""
    for name, flag, package, purpose in (
            ('lttng', '--version', 'lttng-tools', ''),
            ('lttng-sessiond', '--version', 'lttng-tools', ''),
            ('babeltrace2', '--version', 'babeltrace2', ''),
            ('setpriv', '--version', 'util-linux', ''),
            ('valgrind', '--version', 'valgrind', 'only for memory checking'),
            ('perf', '--version', 'linux-perf', 'only for benchmarks')):
        if shutil.which(name) is None:
            verdict, detail = (NOTE, f'missing, needed {purpose}') if purpose else (
                PROBLEM, 'missing')
            yield Finding(name, verdict, detail, f'apt-get install {package}')
            continue
        code, text = _run([name, flag])
        version = next((word for word in text.replace('valgrind-', '').split()
                        if word[:1].isdigit()), 'version unknown')
        if code == 0:
            yield Finding(name, OK, version)
        else:
            yield Finding(name, PROBLEM, f'does not start: {text}',
                          f'apt-get install --reinstall {package}')


def _python() -> Iterator[Finding]:
    for module, package, purpose in (('bt2', 'python3-bt2', 'no trace can be read without it'),
                                     ('rich', 'python3-rich', 'no tables without it')):
        code, text = _run([sys.executable, '-c', f'import {module}; '
                           f'print(getattr({module}, "__version__", "there"))'])
        if code == 0:
            yield Finding(f'Python module {module}', OK, text)
        else:
            yield Finding(f'Python module {module}', PROBLEM,
                          f'not in {sys.executable}, {purpose}', f'apt-get install {package}')


def _session_daemon() -> Iterator[Finding]:
    try:
        if daemon.reachable():
            yield Finding('session daemon', OK, 'running, recordings will use it')
        elif os.geteuid() != 0 and (daemon.RUN / 'lttng/client-lttng-sessiond').exists():
            yield Finding('session daemon', NOTE,
                          "root's is not for this user, so `hak record` starts one of its own",
                          'usermod -aG tracing $USER to share it')
        else:
            yield Finding('session daemon', OK, 'none runs, so `hak record` starts its own')
    except HakError as error:
        yield Finding('session daemon', PROBLEM, error.message, error.remedy)


def _shm() -> Iterator[Finding]:
    try:
        free = buffers.free_shm()
    except HakError as error:
        yield Finding('/dev/shm', PROBLEM, error.message, error.remedy)
        return
    for tier in catalogue.LEFT_OUT:
        channels = catalogue.recorded_by(tier)
        wanted = {name: buffers.DEFAULTS[name] for name in channels}
        need = ui.size(sum(each.total() for each in wanted.values()))
        what = f'/dev/shm for --tier {tier}'
        try:
            if buffers.fitting(wanted, free) == wanted:
                yield Finding(what, OK, f'{ui.size(free)} free, buffers take {need}')
            else:
                yield Finding(what, NOTE, f'{ui.size(free)} free, less than twice the {need} '
                              'of buffers, which will be smaller',
                              'mount -o remount,size=1G /dev/shm')
        except HakError as error:
            yield Finding(what, PROBLEM, f'{ui.size(free)} free', error.remedy)


def _limits() -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # LTTng keeps two files a CPU open in each recorded program.
    need = 64 + 8 * buffers.possible_cpus()
    if soft >= need:
        yield Finding('open files (ulimit -n)', OK, str(soft))
    else:
        yield Finding('open files (ulimit -n)', PROBLEM, f'{soft}, buffers need {need}',
                      f'ulimit -n {min(hard, 1024)}')
    for which, name, flag in ((resource.RLIMIT_AS, 'address space', '-v'),
                              (resource.RLIMIT_DATA, 'data segment', '-d')):
        soft, _ = resource.getrlimit(which)
        what = f'{name} (ulimit {flag})'
        if soft == resource.RLIM_INFINITY:
            yield Finding(what, OK, 'unlimited')
        else:
            yield Finding(what, NOTE, f'{ui.size(soft)}: beyond it allocations fail with MapFail',
                          f'ulimit {flag} unlimited, unless that is wanted')
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    unlimited = soft == resource.RLIM_INFINITY
    yield Finding('locked memory (ulimit -l)', OK,
                  'unlimited' if unlimited else f'{ui.size(soft)}, hakmem locks none')


def _kernel() -> Iterator[Finding]:
    maps = _number('/proc/sys/vm/max_map_count')
    if maps >= 65530:
        yield Finding('vm.max_map_count', OK, str(maps))
    else:
        yield Finding('vm.max_map_count', PROBLEM,
                      f'{maps}: large programs will run out of mappings',
                      'sysctl vm.max_map_count=65530')
    overcommit = _number('/proc/sys/vm/overcommit_memory')
    if overcommit == 2:
        yield Finding('vm.overcommit_memory', NOTE,
                      '2: the kernel refuses memory that programs only reserve (MapFail)',
                      'sysctl vm.overcommit_memory=0')
    else:
        yield Finding('vm.overcommit_memory', OK, str(overcommit))
    pages = _chosen('/sys/kernel/mm/transparent_hugepage/enabled')
    if pages == 'always':
        yield Finding('transparent huge pages', NOTE,
                      'always: the kernel may back a purged slab with 2 MiB again, RSS is larger',
                      'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled')
    else:
        yield Finding('transparent huge pages', OK, pages or 'not supported')
    paranoid = _number('/proc/sys/kernel/perf_event_paranoid')
    if paranoid > 2 and os.geteuid() != 0:
        yield Finding('perf events', NOTE, f'perf_event_paranoid is {paranoid}: no profiles',
                      'sysctl kernel.perf_event_paranoid=1')


def _memory_limit() -> Iterator[Finding]:
    try:
        group = Path('/proc/self/cgroup').read_text(encoding='ascii').rpartition('::')[2].strip()
        text = Path('/sys/fs/cgroup', group.lstrip('/'), 'memory.max').read_text(encoding='ascii')
    except OSError:
        return
    limit = text.strip()
    if limit != 'max':
        yield Finding('memory limit of the control group', NOTE,
                      f'{ui.size(int(limit))}: beyond it the kernel kills')


def _library() -> Iterator[Finding]:
    try:
        library = paths.library()
        env = {**os.environ, **preload.changes({}), 'HAKMEM_TRACE': '0'}
    except HakError as error:
        yield Finding('libhakmem.so', PROBLEM, error.message, error.remedy)
        return
    # The loader only warns about a library that it cannot preload, and goes on.
    code, text = _run(['/bin/true'], env)
    if code == 0 and 'LD_PRELOAD' not in text:
        says = f'; it says: {text}' if text else ''
        yield Finding('libhakmem.so', OK, f'{library} loads{says}')
    else:
        yield Finding('libhakmem.so', PROBLEM, text or f'/bin/true ends with {code}',
                      'rebuild it with `make`')


def _provider() -> Iterator[Finding]:
    try:
        provider = paths.provider()
    except HakError as error:
        yield Finding('libhakmem-lttng.so', PROBLEM, error.message, error.remedy)
        return
    ask = 'import ctypes, sys; ctypes.CDLL(sys.argv[1]).hakmem_trace_ops'
    env = {**os.environ, 'LTTNG_UST_REGISTER_TIMEOUT': '0', 'HAKMEM_TRACE': '0'}
    code, text = _run([sys.executable, '-c', ask, str(provider)], env)
    daemon.drop_unused_rendezvous()
    if code == 0:
        yield Finding('libhakmem-lttng.so', OK, f'{provider} loads')
    else:
        yield Finding('libhakmem-lttng.so', PROBLEM, text, 'apt-get install liblttng-ust1')


def _plugin() -> Iterator[Finding]:
    try:
        folder = paths.plugin_dir()
    except HakError as error:
        yield Finding('Babeltrace plugin', PROBLEM, error.message, error.remedy)
        return
    code, text = _run(['babeltrace2', f'--plugin-path={folder}', 'list-plugins'])
    if code == 0 and 'hakmem' in text:
        yield Finding('Babeltrace plugin', OK, f'{folder} loads')
    else:
        yield Finding('Babeltrace plugin', PROBLEM, f'Babeltrace 2 finds none in {folder}',
                      'rebuild it with `make`')


def _recording() -> Iterator[Finding]:
    """The whole way once: a program, its recording, the events that are read back."""
    what = 'recording a small program'
    with tempfile.TemporaryDirectory(prefix='hak-doctor-') as folder:
        trace = Path(folder) / 'trace'
        code, text = _run([str(paths.hak()), 'record', '-o', str(trace), '--', '/bin/ls', '/'],
                          seconds=3 * SECONDS)
        if code != 0:
            yield Finding(what, PROBLEM, text)
            return
        code, text = _run(['babeltrace2', str(trace)])
        count = text.count('hakmem:') if code == 0 else 0
        if count:
            yield Finding(what, OK, f'{ui.counted(count, "event")} recorded and read back')
        else:
            yield Finding(what, PROBLEM, text.splitlines()[0] if code and text else 'no events')


def _run(command: list[str], env=None, seconds: float = SECONDS) -> tuple[int, str]:
    """Exit code and everything that was said, 126 and why for what does not run at all."""
    try:
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              errors='replace', timeout=seconds, check=False)
    except OSError as error:
        return 126, f'{command[0]}: {error.strerror}'
    except subprocess.TimeoutExpired:
        return 126, f'{command[0]} gave no answer in {seconds:.0f} s'
    return done.returncode, done.stdout.strip()


def _number(path: str) -> int:
    try:
        return int(Path(path).read_text(encoding='ascii'))
    except (OSError, ValueError):
        return 0


def _chosen(path: str) -> str:
    """'always [madvise] never' -> 'madvise'"""
    try:
        text = Path(path).read_text(encoding='ascii')
    except OSError:
        return ''
    return text.partition('[')[2].partition(']')[0]


CHECKS: list[Callable[[], Iterator[Finding]]] = [
    _tools, _python, _session_daemon, _shm, _limits, _kernel, _memory_limit, _library, _provider,
    _plugin]
