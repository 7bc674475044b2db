"""hak memcheck: its exit codes, and that Valgrind's options do what they do."""

import subprocess

import pytest
from runs import BUILT, ENVIRONMENT, HAK, HAKMEM, PLAIN, ROOT, SECONDS

BUGGY, CLEAN = BUILT / 'free_twice', BUILT / 'clean_zero_size'


def test_exit_code_is_1_for_findings_and_the_programs_otherwise(run):
    assert run(HAKMEM, [CLEAN], xml=False).code == 0
    assert run(HAKMEM, [BUGGY, 10], xml=False).code == 1
    assert run(HAKMEM, [BUGGY, 10], '--error-exitcode=9', xml=False).code == 9
    assert run(HAKMEM, ['sh', '-c', 'exit 7'], xml=False).code == 7


@pytest.mark.parametrize('argv, code, words', [
    ([], 2, 'no program to run'),
    (['--leak-check=full'], 2, 'no program to run'),
    (['--', '/no/such/program'], 3, 'no such program'),
    (['--', '/etc/passwd'], 3, 'not executable'),
])
def test_bad_input_gets_one_line(argv, code, words):
    done = subprocess.run([HAK, 'memcheck', *argv], env=ENVIRONMENT, capture_output=True, text=True,
                          check=False)
    assert done.returncode == code
    assert done.stderr.count('\n') == 1 and words in done.stderr


def test_missing_valgrind_is_told(tmp_path):
    (tmp_path / 'python3').symlink_to('/usr/bin/python3')
    (tmp_path / 'env').symlink_to('/usr/bin/env')
    done = subprocess.run([HAK, 'memcheck', '--', str(CLEAN)], capture_output=True, text=True,
                          env={**ENVIRONMENT, 'PATH': str(tmp_path)}, check=False)
    assert done.returncode == 3
    assert 'valgrind is missing: apt-get install valgrind' in done.stderr


def test_suppressions_are_offered_and_work(run, tmp_path):
    offered = run(HAKMEM, [BUGGY, 10], '--gen-suppressions=all', xml=False)
    text = '\n'.join(line for line in offered.err.splitlines() if not line.startswith('=='))
    assert 'Memcheck:Free' in text and 'fun:free' in text
    own = tmp_path / 'own.supp'
    own.write_text(text)
    assert run(HAKMEM, [BUGGY, 10], f'--suppressions={own}').code == 0


def test_children_are_checked_where_asked_for(run):
    argv = ['sh', '-c', f'{BUGGY} 10; true']
    assert run(HAKMEM, argv).findings == {}
    children = run(HAKMEM, argv, '--trace-children=yes')
    assert [finding.kind for finding in children.findings] == ['InvalidFree']
    assert children.findings == run(PLAIN, argv, '--trace-children=yes').findings


def test_origin_is_tracked(run):
    found = run(HAKMEM, [BUILT / 'undefined_member'], '--track-origins=yes').findings
    assert ['created by a heap allocation' in finding.texts[1] for finding in found] == [True]


@pytest.mark.parametrize('options, knob', [(('--freelist-vol=1000',), {}),
                                           ((), {'HAKMEM_QUARANTINE': '1000'})])
def test_quarantine_is_as_long_as_asked_for(run, options, knob):
    """After a thousand bytes a freed block is not known to have been one."""
    argv = [BUILT / 'freed_read_late', 300]
    assert [finding.texts[1] for finding in run(HAKMEM, argv).findings] == [
        'Address 0x… is 1 bytes inside a block of size 300 free\'d']
    late = run(HAKMEM, argv, *options, env=knob).findings
    assert all("inside a block of size 300 free'd" not in finding.texts[-1] for finding in late)


def test_our_own_report_does_not_repeat_memchecks(run):
    for name in ('free_twice_with_writes_between', 'overflow_then_go_on', 'free_stack'):
        assert 'hakmem' not in run(HAKMEM, [BUILT / name]).err


def test_from_a_report_to_the_slab_and_to_who_points_at_the_block(tmp_path):
    """Through vgdb, at the first error: n is freed, and the node in front of it points there."""
    program = BUILT / 'freed_list_walk'
    prefix = f'--vgdb-prefix={tmp_path}/vgdb'
    child = subprocess.Popen([HAK, 'memcheck', '-q', '--vgdb-error=0', prefix, '--', program],
                             env=ENVIRONMENT, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        gdb = subprocess.run(
            ['gdb', '-q', '-batch', '-ex', f'target remote | vgdb --wait={SECONDS} {prefix}',
             '-ex', 'continue',
             '-ex', f'source {ROOT}/scripts/hakmem-gdb.py', '-ex', 'frame function main',
             '-ex', 'hak block n', '-ex', 'hak slab n', '-ex', 'hak block n->next',
             '-ex', 'eval "monitor who_points_at %p", n', '-ex', 'kill', program],
            capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL, check=False)
    finally:
        child.kill()
        child.wait()
    told = gdb.stdout + gdb.stderr
    assert 'FREED by the program' in told and 'LIVE' in told, told
    assert 'of the pool' in told and 'points at' in told, told
