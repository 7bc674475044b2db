"""What cannot be recorded is refused in one line, before anything is started."""

import os
import subprocess
from pathlib import Path

import pytest
from conftest import HAK
from running import SECONDS


def refused(result, code: int, *words: str) -> None:
    """One line that says so, nothing else, and the exit code."""
    assert result.code == code, result.err
    assert result.out == ''
    lines = result.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith('hak: '), result.err
    for word in words:
        assert word in lines[0], lines[0]


@pytest.mark.parametrize('arguments, words', [
    (['recrod'], ['no such command: recrod', '--help']),
    (['--recrod'], ['no such option: --recrod']),
    (['record'], ['no program', 'hak record -- CMD']),
    (['record', '--'], ['no program']),
    (['record', '--tier', 'all', 'true'], ['--tier', 'lifecycle']),
    (['record', '--tier'], ['--tier']),
    (['record', '--nonsense', 'true'], ['--nonsense']),
    (['record', '--buffer-size', '1X', 'true'], ["'1X'", '4M']),
    (['record', '--buffer-size', '9G', 'true'], ['out of range']),
    (['record', '--subbufs', '-1', 'true'], ["'-1'"]),
    (['record', '--subbufs', '1', 'true'], ['from 2']),
])
def test_wrong_usage(hak, arguments, words):
    refused(hak(*arguments), 2, *words)


def test_no_command_prints_the_usage(hak):
    result = hak()
    assert result.code == 2
    assert result.out == '' and result.err.startswith('usage: hak COMMAND')


def test_help_lists_exactly_the_commands_that_exist(hak):
    result = hak('--help')
    assert result.code == 0 and result.err == ''
    folder = HAK.parents[1] / 'analysis/hak/commands'
    modules = {path.stem for path in folder.glob('*.py') if not path.stem.startswith('_')}
    listed = {line.split()[0] for line in result.out.splitlines() if line.startswith('  ')}
    assert listed == modules


@pytest.mark.parametrize('command', ['record', 'config', 'doctor', 'env'])
def test_every_command_explains_itself(hak, command):
    result = hak(command, '--help')
    assert result.code == 0 and result.err == ''
    assert f'hak {command}' in result.out


@pytest.mark.parametrize('name, words', [
    ('no-such-program', ['no such program', 'PATH']),
    ('./no-such-file', ['no such program']),
    ('/', ['is a directory']),
    ('./text', ['not executable', 'chmod +x']),
    ('./static', ['statically linked']),
    ('./static-pie', ['statically linked']),
    ('./script-of-static', ['static is statically linked']),
    ('./no-shebang', ['neither a program nor a script', 'sh']),
    ('./other-machine', ['64-bit']),
])
def test_programs_that_cannot_be_recorded(hak, tmp_path, name, words):
    _make_programs(tmp_path)
    before = set(tmp_path.iterdir())
    refused(hak('record', '--', name), 3, *words)
    assert set(tmp_path.iterdir()) == before


def _make_programs(folder: Path) -> None:
    source = folder / 'main.c'
    source.write_text('int main(void) { return 0; }\n')
    for name, flag in (('static', '-static'), ('static-pie', '-static-pie')):
        subprocess.run(['gcc', flag, '-o', folder / name, source], check=True)
    (folder / 'text').write_text('no program\n')
    (folder / 'script-of-static').write_text(f'#!{folder}/static -x\n')
    (folder / 'no-shebang').write_text('echo hi\n')
    (folder / 'other-machine').write_bytes(b'\x7fELF\x01\x01\x01' + bytes(45))
    for name in ('script-of-static', 'no-shebang', 'other-machine'):
        (folder / name).chmod(0o755)


def test_a_setuid_program(user_hak):
    program = next((path for path in map(Path, ('/usr/bin/su', '/bin/su', '/usr/bin/passwd'))
                    if path.exists() and path.stat().st_mode & 0o4000), None)
    if program is None:
        pytest.skip('no setuid program on this machine')
    refused(user_hak('record', '--', program), 3, str(program), 'setuid')


def test_output_directories_that_cannot_be_used(hak, tmp_path):
    (tmp_path / 'file').write_text('')
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full/something').write_text('mine')
    (tmp_path / 'dangling').symlink_to('nowhere/at/all')
    for name, word in (('file', 'not a directory'), ('file/below', 'cannot be made'),
                       ('full', 'not empty'), ('dangling', 'not a directory'),
                       ('/proc/x', 'cannot be made'), ('', 'not empty')):
        refused(hak('record', '-o', name, '--', 'true'), 3, word)
    assert (tmp_path / 'full/something').read_text() == 'mine'


def test_an_existing_empty_directory_is_used_and_stays(hak, tmp_path):
    (tmp_path / 'empty').mkdir()
    refused(hak('record', '-o', 'empty', '--session', 'not/a/name', '--', 'true'), 3, 'session')
    assert list((tmp_path / 'empty').iterdir()) == []
    assert hak('record', '-o', 'empty', '--', 'true').code == 0


def test_a_directory_that_is_not_writable(user_hak):
    closed = user_hak.cwd / 'closed'
    closed.mkdir()
    closed.chmod(0o555)
    if os.geteuid() != 0:
        user_hak.prefix = []
    refused(user_hak('record', '-o', closed, '--', 'true'), 3, 'closed', 'not writable')
    refused(user_hak('record', '-o', closed / 'below', '--', 'true'), 3, 'cannot be made')


def test_a_library_that_was_not_built(hak, tmp_path):
    env = {'HAK_LIBDIR': str(tmp_path / 'nothing')}
    refused(hak('record', '--', 'true', env=env), 3, 'nothing/libhakmem.so is missing', 'make')
    refused(hak('config', env=env), 3, 'nothing/libhakmem.so is missing', 'make')
    refused(hak('env', env=env), 3, 'nothing/libhakmem.so is missing', 'make')


def test_a_library_under_a_path_that_cannot_be_preloaded(hak, tmp_path):
    from hak import paths

    folder = tmp_path / 'with space'
    folder.mkdir()
    for path in (paths.library(), paths.provider()):
        (folder / path.name).symlink_to(path)
    refused(hak('record', '--', 'true', env={'HAK_LIBDIR': str(folder)}), 3, 'with space')


def test_output_that_nobody_reads_is_no_error_to_show(hak):
    done = subprocess.run(f'{HAK} --help | true; {HAK} env --json | head -c 1 >/dev/null',
                          shell=True, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.stderr == ''


@pytest.mark.parametrize('unbuffered', ['', '1'])
def test_output_to_a_full_device_is_an_error(unbuffered):
    with open('/dev/full', 'w', encoding='ascii') as full:
        done = subprocess.run([HAK, 'env'], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=SECONDS, check=False,
                              env={**os.environ, 'PYTHONUNBUFFERED': unbuffered})
    assert (done.returncode, done.stderr) == (3, 'hak: No space left on device\n')


def test_no_output_at_all_is_no_error():
    done = subprocess.run(f'{HAK} env >&-', shell=True, stderr=subprocess.PIPE, text=True,
                          timeout=SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, '')
