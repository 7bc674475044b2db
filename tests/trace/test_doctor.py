"""hak doctor: what it finds on this machine, and on one that lacks something."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import HAK
from running import SECONDS


def findings(hak, *options, **more) -> dict[str, dict]:
    result = hak('doctor', '--json', *options, **more)
    found = json.loads(result.out)
    problems = [each for each in found if each['verdict'] == 'problem']
    assert result.code == (1 if problems else 0), result.err
    return {each['what']: each for each in found}


def test_the_parts_that_were_built_work(hak):
    found = findings(hak)
    for what in ('lttng', 'lttng-sessiond', 'babeltrace2', 'Python module bt2', 'libhakmem.so',
                 'libhakmem-lttng.so'):
        assert found[what]['verdict'] == 'ok', found[what]


def test_every_problem_comes_with_what_to_do(hak, tmp_path):
    found = findings(hak, env={'PATH': str(tmp_path), 'HAK_LIBDIR': str(tmp_path)})
    problems = [each for each in found.values() if each['verdict'] == 'problem']
    assert {'lttng', 'babeltrace2', 'libhakmem.so', 'libhakmem-lttng.so'} <= {
        each['what'] for each in problems}
    assert all(each['fix'] for each in problems), problems
    assert found['lttng']['fix'] == 'apt-get install lttng-tools'
    assert found['valgrind']['verdict'] == 'note'


def test_a_library_that_does_not_load(hak, tmp_path):
    (tmp_path / 'libhakmem.so').write_text('not a library')
    (tmp_path / 'libhakmem-lttng.so').write_text('not a library')
    found = findings(hak, env={'HAK_LIBDIR': str(tmp_path)})
    assert found['libhakmem.so']['verdict'] == 'problem'
    assert found['libhakmem-lttng.so']['verdict'] == 'problem'


def test_the_full_test_records_and_reads_back(hak):
    found = findings(hak, '--full')
    assert found['recording a small program']['verdict'] == 'ok'
    assert 'events recorded and read back' in found['recording a small program']['detail']


def test_limits_are_looked_at(tmp_path):
    script = 'ulimit -n 20; ulimit -v 4000000; exec "$0" doctor --json'
    done = subprocess.run(['sh', '-c', script, HAK], capture_output=True, text=True,
                          timeout=SECONDS, check=False)
    found = {each['what']: each for each in json.loads(done.stdout)}
    assert found['open files (ulimit -n)']['verdict'] == 'problem'
    assert found['address space (ulimit -v)']['verdict'] == 'note'
    assert done.returncode == 1


def test_plain_lines_in_a_pipe(hak):
    result = hak('doctor', env={'TERM': 'xterm'})
    assert '\033' not in result.out
    for line in result.out.splitlines():
        assert line.split()[0] in ('ok', 'note', 'problem'), line


@pytest.mark.skipif(os.geteuid() != 0, reason='needs mount')
def test_a_small_shm_gives_small_buffers_and_a_recording(hak, tmp_path):
    hak.prefix = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c',
                  'mount -t tmpfs -o size=8m tmpfs /dev/shm && exec "$@"', 'sh']
    if subprocess.run([*hak.prefix, 'true'], capture_output=True, check=False).returncode != 0:
        pytest.skip('may not mount')
    assert findings(hak)['/dev/shm for --tier lifecycle']['verdict'] == 'note'
    result = hak('record', '-o', 'trace', '--', 'true')
    assert result.code == 0, result.err
    assert 'smaller buffers' in result.err and 'hak: recorded trace' in result.err
    hak.prefix[6] = hak.prefix[6].replace('8m', '64k')
    result = hak('record', '-o', 'trace2', '--', 'true')
    assert result.code == 3
    assert result.notes() == [result.err.strip()] and '/dev/shm is too small' in result.err
    assert not Path(tmp_path / 'trace2').exists()
