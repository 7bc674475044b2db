"""What libhakmem.so takes from other libraries stands in src/imports.txt with its reason, and is called
only at the moments that are allowed there: others may have put functions of theirs in front."""

import os
import re
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from conftest import ROOT

LIST = ROOT / 'src/imports.txt'
MOMENTS = {'any', 'start', 'helper', 'fork', 'asked', 'end', 'data', 'never'}
HERE = Path(__file__).parent
LOUD = {name: '1' for name in (
    'HAKMEM_SS_ACQUIRE_DEBUG', 'HAKMEM_SS_FREE_DEBUG', 'HAKMEM_SUPER_REG_DEBUG',
    'HAKMEM_SS_MAP_TRACE', 'HAKMEM_ACE_TRACE', 'HAKMEM_SHARED_POOL_STAGE_STATS',
    'HAKMEM_SHARED_POOL_LOCK_STATS')}


def listed() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in LIST.read_text().splitlines():
        if line and not line.startswith('#'):
            name, when, why = line.split(maxsplit=2)
            assert name not in found and why, line
            found[name] = set(when.split(','))
            assert found[name] <= MOMENTS, line
    return found


def imported(flavour: str) -> set[str]:
    names = subprocess.run(['nm', '-D', '--undefined-only', ROOT / f'build/{flavour}/libhakmem.so'],
                           capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].split('@')[0] for line in names.splitlines()}


@pytest.mark.parametrize('flavour', ['trace', 'release'])
def test_every_import_is_listed_with_its_reason(flavour):
    assert imported(flavour) - set(listed()) == set()


def test_nothing_is_listed_that_is_not_imported():
    assert set(listed()) - imported('trace') - imported('release') == set()


@pytest.fixture(scope='module')
def tools(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('witness')
    watched = {name: when for name, when in listed().items() if not when & {'data', 'never'}}
    (folder / 'names.h').write_text(''.join(
        f'W({name}, {" | ".join(sorted(m.upper() for m in when))})\n'
        for name, when in watched.items()))
    flags = ['-std=gnu11', '-D_GNU_SOURCE', '-O1', '-g', '-fno-builtin', '-Wall', '-Wextra']
    subprocess.run(['gcc', *flags, '-fPIC', '-shared', f'-DNAMES="{folder}/names.h"', '-o',
                    folder / 'witness.so', HERE / 'witness.c'], check=True)
    subprocess.run(['gcc', *flags, '-Wno-use-after-free', '-Wno-free-nonheap-object', '-pthread',
                    '-o', folder / 'driven', HERE / 'driven.c'], check=True)
    return folder


def drive(tools: Path, flavour: str, **env: str) -> str:
    civil = ['civil'] if env.get('HAKMEM_TINY_USE_SUPERSLAB') == '0' else []
    done = subprocess.run(
        [tools / 'driven', *civil], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, 'HAKMEM_TICK': '10', **env,
             'LD_PRELOAD': f'{tools}/witness.so:{ROOT}/build/{flavour}/libhakmem.so'})
    said = [line for line in done.stderr.splitlines() if 'witness:' in line]
    assert (done.returncode, done.stdout, said) == (0, 'driven, watched\n', []), done.stderr[-2000:]
    return done.stderr


@pytest.mark.parametrize('flavour', ['trace', 'release'])
@pytest.mark.parametrize('env', [
    {}, LOUD, {'HAKMEM_TINY_USE_SUPERSLAB': '0'}, {'HAKMEM_FAIL_MAP': '20%'},
], ids=['quiet', 'loud', 'system', 'refused'])
def test_nothing_else_is_called_inside_the_allocator(tools, tmp_path, flavour, env):
    said = drive(tools, flavour, LTTNG_HOME=str(tmp_path), **env)
    if flavour == 'trace' and 'HAKMEM_TINY_USE_SUPERSLAB' not in env:
        assert '[DOUBLE_FREE]' in said and '[INVALID_FREE]' in said


def test_nothing_else_when_the_tracer_is_loaded_at_the_start(tools, tmp_path):
    drive(tools, 'trace', HAKMEM_TRACE='1', LTTNG_HOME=str(tmp_path),
          LTTNG_UST_REGISTER_TIMEOUT='0')


def test_nothing_else_when_a_daemon_is_found_inside_malloc(tools, tmp_path):
    """Somebody listens where a session daemon would: the tracer is loaded by a helper."""
    (tmp_path / '.lttng').mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as daemon:
        daemon.bind(str(tmp_path / '.lttng/lttng-ust-sock-8'))
        daemon.listen(50)
        came = threading.Event()

        def answer() -> None:
            while True:
                try:
                    caller, _ = daemon.accept()
                except OSError:
                    return
                came.set()
                caller.close()

        threading.Thread(target=answer, daemon=True).start()
        drive(tools, 'trace', LTTNG_HOME=str(tmp_path), LTTNG_UST_REGISTER_TIMEOUT='0')
        daemon.shutdown(socket.SHUT_RDWR)
    assert came.is_set()


def test_the_witness_sees_what_is_not_allowed(tools, tmp_path):
    """The same with one moment taken away from a function that malloc calls."""
    names = (tools / 'names.h').read_text()
    (tmp_path / 'names.h').write_text(
        re.sub(r'W\(pthread_self, ANY\)', 'W(pthread_self, START)', names))
    subprocess.run(['gcc', '-std=gnu11', '-D_GNU_SOURCE', '-O1', '-fno-builtin', '-fPIC', '-shared',
                    f'-DNAMES="{tmp_path}/names.h"', '-o', tmp_path / 'witness.so',
                    HERE / 'witness.c'], check=True)
    done = subprocess.run(
        [tools / 'driven'], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, 'LD_PRELOAD': f'{tmp_path}/witness.so:{ROOT}/build/trace/libhakmem.so'})
    assert done.returncode == 99
    assert 'witness: pthread_self called' in done.stderr
