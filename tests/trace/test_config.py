"""hak config: every knob, with what this environment makes of it."""

import json
import os
import pty
import re
import subprocess

from conftest import HAK, ROOT
from running import SECONDS


def knobs(hak, **env) -> dict[str, dict]:
    result = hak('config', '--json', env=env)
    assert result.code == 0, result.err
    return {knob['name']: knob for knob in json.loads(result.out)}


def test_every_knob_that_the_sources_know_is_listed(hak):
    listed = knobs(hak)
    assert {'HAKMEM_TRACE', 'HAKMEM_SS_EMPTY_RECYCLE', 'HAKMEM_TINY_CAP'} <= set(listed)
    source = (ROOT / 'src/knobs.def').read_text()
    assert set(listed) == set(re.findall(r'"(HAKMEM_\w+)"', source))
    for knob in listed.values():
        assert knob['meaning'] and not knob['set'], knob
        assert knob['current'] == knob['default'], knob


def test_what_is_set_is_shown(hak):
    listed = knobs(hak, HAKMEM_SS_EMPTY_SCAN_LIMIT='7', HAKMEM_SS_EMPTY_RECYCLE='mark')
    assert listed['HAKMEM_SS_EMPTY_SCAN_LIMIT']['current'] == '7'
    assert listed['HAKMEM_SS_EMPTY_SCAN_LIMIT']['set']
    assert listed['HAKMEM_SS_EMPTY_RECYCLE']['current'] == 'mark'
    assert not listed['HAKMEM_TINY_CLASSES']['set']


def test_the_user_s_own_trace_knob_is_shown_not_ours(hak):
    assert knobs(hak)['HAKMEM_TRACE']['current'] == 'auto'
    trace = knobs(hak, HAKMEM_TRACE='1')['HAKMEM_TRACE']
    assert (trace['current'], trace['set']) == ('1', True)


def test_the_library_s_warnings_reach_the_user(hak):
    result = hak('config', env={'HAKMEM_TYPO': '1', 'HAKMEM_SS_EMPTY_SCAN_LIMIT': 'many'})
    assert result.code == 0
    assert 'HAKMEM_TYPO' in result.err
    assert 'HAKMEM_SS_EMPTY_SCAN_LIMIT' in result.err
    assert len(result.err.splitlines()) == 2


def test_a_pipe_gets_one_plain_line_a_knob(hak):
    result = hak('config', env={'HAKMEM_SS_EMPTY_SCAN_LIMIT': '7', 'TERM': 'xterm'})
    lines = result.out.splitlines()
    assert len(lines) == len(knobs(hak))
    assert all(re.match(r'HAKMEM_\w+=', line) for line in lines)
    assert '\033' not in result.out
    assert any(line.startswith('HAKMEM_SS_EMPTY_SCAN_LIMIT=7 ') and 'default 64' in line
               for line in lines)


def test_a_terminal_gets_a_table_with_colours_unless_unwanted():
    env = {**os.environ, 'HAKMEM_SS_EMPTY_SCAN_LIMIT': '7', 'TERM': 'xterm', 'COLUMNS': '120'}
    env.pop('NO_COLOR', None)
    coloured = _on_terminal(env)
    assert '\033[' in coloured and 'meaning' in coloured
    # Bold is no colour; codes 30 to 37 and their like are.
    colour = re.compile(r'\033\[[0-9;]*(3[0-7]|9[0-7]|38)[0-9;]*m')
    assert colour.search(coloured)
    assert not colour.search(_on_terminal({**env, 'NO_COLOR': '1'}))


def _on_terminal(env: dict) -> str:
    ours, its = pty.openpty()
    running = subprocess.Popen([HAK, 'config'], env=env, stdout=its, stderr=its,
                               stdin=subprocess.DEVNULL)
    os.close(its)
    said = b''
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:
        pass  # that is how a terminal ends
    os.close(ours)
    assert running.wait(SECONDS) == 0
    return said.decode()


def test_a_library_that_tells_nothing_is_an_error(hak, tmp_path):
    source = tmp_path / 'other.c'
    source.write_text('int unrelated;\n')
    library = tmp_path / 'libhakmem.so'
    subprocess.run(['gcc', '-shared', '-o', library, source], check=True)
    result = hak('config', env={'HAK_LIBDIR': str(tmp_path)})
    assert result.code == 3
    assert result.notes()[-1].endswith('does not tell its knobs: rebuild it with `make`')


def test_the_readme_s_table_is_the_library_s(hak):
    readme = (ROOT / 'README.md').read_text()
    knobs = json.loads(hak('config', '--json').out)
    for knob in knobs:
        row = f"| `{knob['name']}` | {knob['default'] or 'none'} | {knob['meaning']} |"
        assert row in readme, row
    assert readme.count('| `HAKMEM_') == len(knobs)
