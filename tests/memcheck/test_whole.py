"""With Valgrind's options, its other tools, and programs that look at Valgrind themselves: the whole
output is what it is on the C library's malloc."""

import os
import re
import subprocess

import pytest
from runs import BUILT, ENVIRONMENT, HAK, HAKMEM, PLAIN

WHOLE = BUILT / 'whole'
LEAKS = ('--leak-check=full', '--show-leak-kinds=all')
# What names the process, a place, or the file in which malloc is.
PROCESS = re.compile(r'==\d+==')
ADDRESS = re.compile(r'0x[0-9A-Fa-f]+')
MALLOC = re.compile(r'\((in )?[^()]*(vgpreload_|vg_heap\.c|vg_end\.c|api\.c|_exit\.c)[^()]*\)')
# In one block, and right behind another inside it: told by the one that memcheck's table has first,
# in which they lie by their addresses.
IN_TWO = re.compile(r" (356 bytes inside|0 bytes after) a block of size \d+ alloc'd\n.*?\n \n",
                    re.S)
# How often what drd suppresses in the C library comes about depends on how threads meet.
SUPPRESSED = re.compile(r'suppressed: \d+ from \d+')
# Which of the aligned functions calls which is Valgrind's version's.
ALIGNED = re.compile(r'(at|by) 0x…: (posix_memalign|aligned_alloc|memalign) \(malloc\)')

CASES = [
    # program, options, has errors
    (['many_leaks'], LEAKS, True),
    (['counted_leaks'], LEAKS, True),
    (['counted_leaks'], (), False),
    (['allocator_on_top'], LEAKS, True),
    (['far_overflow'], ('--redzone-size=128',), True),
    (['filled'], ('--malloc-fill=0xa7', '--free-fill=0x5b', '--undef-value-errors=no'), True),
    (['own_malloc'], LEAKS, True),
    (['late_free'], ('--tool=helgrind', '--free-is-write=yes'), True),
    (['late_free'], ('--tool=drd',), False),
    (['forked_children'], LEAKS, False),
    (['forked_children'], (), False),
    (['forked_children'], ('--trace-children=yes',), False),
    (['absurd_sizes'], LEAKS, True),
    (['undefined_sizes'], (), True),
    (['undefined_sizes', 'large'], (), True),
    (['undefined_end'], (), True),
    (['one_site'], LEAKS, True),
    (['many_leaks'], ('--num-callers=1', '--leak-check=full'), True),
    (['many_leaks'], ('--memcheck:leak-check=full', '--leak-resolution=low'), True),
    (['profile'], ('--tool=dhat', '--dhat-out-file=/dev/null'), False),
    (['profile'], ('--tool=none',), False),
]


def whole(text: str) -> str:
    text = MALLOC.sub('(malloc)', ADDRESS.sub('0x…', PROCESS.sub('', text)))
    return ALIGNED.sub(r'\1 0x…: memalign (malloc)', text).replace('_Exit (malloc)', '_exit (malloc)')


def of_program(text: str) -> str:
    """Without the command, which is longer where options were added; and without the bytes of the
    loader's, which depend on what is loaded."""
    return '\n'.join(line for line in text.splitlines() if 'total heap usage' not in line)


@pytest.mark.parametrize('argv, options, errors', CASES,
                         ids=[' '.join([*argv, *options]) for argv, options, _ in CASES])
def test_the_whole_output_is_the_same(run, argv, options, errors):
    argv = [WHOLE / argv[0], *argv[1:]]
    plain, ours = (run(how, argv, *options, xml=False) for how in (PLAIN, HAKMEM))
    if '--tool=drd' in options:
        plain.err, ours.err = (SUPPRESSED.sub('suppressed', said.err) for said in (plain, ours))
    if argv[0].name == 'allocator_on_top':
        assert IN_TWO.search(whole(plain.err)) and IN_TWO.search(whole(ours.err))
        plain.err, ours.err = (IN_TWO.sub(' in two', whole(said.err)) for said in (plain, ours))
    assert of_program(whole(ours.err)) == of_program(whole(plain.err))
    assert ours.out == plain.out
    assert ours.code == (1 if errors else plain.code), ours.err


def test_massif_sees_the_programs_blocks(run, tmp_path):
    seen = []
    for how in (PLAIN, HAKMEM):
        file = tmp_path / how[0].rpartition('/')[2]
        run(how, [WHOLE / 'profile'], '--tool=massif', f'--massif-out-file={file}', xml=False)
        seen.append(max(int(line[len('mem_heap_B='):]) for line in file.read_text().splitlines()
                        if line.startswith('mem_heap_B=')))
    assert seen[0] == seen[1] > 5 << 20


@pytest.mark.parametrize('where', ['VALGRIND_OPTS', 'home', 'here'])
def test_options_are_seen_wherever_valgrind_looks(tmp_path, where):
    """In each place --malloc-fill does what it does on the command line."""
    (tmp_path / 'home').mkdir()
    (tmp_path / 'here').mkdir()
    env = {**ENVIRONMENT, 'HOME': str(tmp_path / 'home')}
    if where == 'VALGRIND_OPTS':
        env[where] = '-q --memcheck:malloc-fill=0xa7 --undef-value-errors=no'
    else:
        (tmp_path / where / '.valgrindrc').write_text('-q\n--malloc-fill=0xa7\n--undef-value-errors=no\n')
    plain, ours = (subprocess.run([*how, WHOLE / 'filled'], env=env, cwd=tmp_path / 'here', text=True,
                                  capture_output=True, check=False)
                   for how in (['valgrind'], [HAK, 'memcheck', '--']))
    assert whole(ours.stderr) == whole(plain.stderr)
    assert ours.stdout == plain.stdout and plain.stdout.startswith('a7 a7')


def test_synonyms_of_the_users_hold(run):
    """Where he says which malloc Valgrind is to replace, that one is."""
    ours = run(HAKMEM, [WHOLE / 'filled'], '--soname-synonyms=somalloc=libhakmem*', xml=False)
    assert 'vg_heap' not in ours.err and 'vgpreload_memcheck' in ours.err


def test_all_can_be_left_to_valgrind(run):
    ours = run(HAKMEM, [WHOLE / 'filled'], xml=False, env={'HAKMEM_MEMCHECK_SLABS': '0'})
    plain = run(PLAIN, [WHOLE / 'filled'], xml=False)
    assert ours.err.count('Invalid read') == plain.err.count('Invalid read') == 2
    assert 'Address 0x' in ours.err and 'size 40 free' in ours.err


def peak_kib(*command) -> int:
    child = subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_maxrss


def test_large_blocks_take_no_memory_that_the_program_does_not():
    program = WHOLE / 'large_blocks'
    plain = peak_kib('valgrind', '-q', program)
    assert peak_kib(HAK, 'memcheck', '-q', '--', program) < plain + (64 << 10)


def test_nothing_is_recorded_where_valgrind_answers(run):
    ours = run(HAKMEM, [WHOLE / 'profile'], '--tool=drd', xml=False, env={'HAKMEM_TRACE': '1'})
    assert ours.code == 0
    assert 'ERROR SUMMARY: 0 errors' in ours.err
    assert 'hakmem: Valgrind answers this program\'s requests itself' in ours.err
