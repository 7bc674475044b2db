"""HAKMEM_LIBC_EVENTS: what reads recordings of LTTng's libc wrapper reads ours."""

import glob
import re
import subprocess
from pathlib import Path

import pytest
from conftest import events
from running import SECONDS

NAMES = ('malloc', 'free', 'calloc', 'realloc', 'memalign', 'posix_memalign')
WRAPPERS = '/usr/lib/*/liblttng-ust-libc-wrapper.so'


@pytest.fixture(scope='module')
def program(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp('calls') / 'calls'
    subprocess.run(['gcc', '-O1', '-Wall', '-Wextra', '-Werror', '-fno-builtin', '-o', made,
                    Path(__file__).with_name('calls.c')], check=True, timeout=SECONDS)
    return made


def told(trace: Path) -> list:
    """(name, {field: number}) of every event of the wrapper's, in order."""
    done = subprocess.run(['babeltrace2', str(trace)], capture_output=True, text=True,
                          timeout=SECONDS, check=True)
    return [(match[1], {key: int(value, 0) for key, value in
                        re.findall(r'(\w+) = (-?(?:0x[0-9A-F]+|\d+))', match[2])})
            for match in re.finditer(r'lttng_ust_libc:(\w+):.*\{ ([^{}]*) \}$', done.stdout,
                                     re.MULTILINE)]


def said(out: str) -> list:
    """The same of the program's own words."""
    return [(words[0], {key: 0 if value == '(nil)' else int(value, 0) for key, value in
                        (word.split('=') for word in words[1:])})
            for words in map(str.split, out.splitlines())]


def test_every_call_is_one_event_with_the_wrappers_fields(hak, program):
    result = hak('record', '--private', '-o', 'trace', '--', program,
                 env={'HAKMEM_LIBC_EVENTS': '1'})
    assert result.code == 0, result.err
    mine = said(result.out)
    recorded = told(hak.cwd / 'trace')
    assert {name for name, _ in mine} == set(NAMES)
    begin = recorded.index(mine[0])
    assert recorded[begin:begin + len(mine)] == mine
    # As Trace Compass sums them up: what the program kept, and what stdio did.
    live: dict = {}
    for name, fields in recorded:
        for gone in ('in_ptr', *(['ptr'] if name == 'free' else [])):
            live.pop(fields.get(gone), None)
        new = fields.get('out_ptr' if name == 'posix_memalign' else 'ptr')
        if new and name != 'free':
            assert new not in live, f'{new:#x} twice'
            live[new] = fields['size'] * fields.get('nmemb', 1)
    assert {300, 100000} <= set(live.values())
    report = hak('report', 'trace')
    assert report.code == 0 and 'acquires count=' in report.out, report.err


def test_without_the_knob_there_are_none(hak, program):
    result = hak('record', '--private', '-o', 'trace', '--tier', 'ops', '--', program)
    assert result.code == 0 and told(hak.cwd / 'trace') == []
    assert events(hak.cwd / 'trace')


def test_the_wrapper_s_own_events_look_the_same(hak, program):
    """The program under LTTng's wrapper, in the session that `hak record` makes for ours."""
    found = glob.glob(WRAPPERS)
    if not found:
        pytest.skip('liblttng-ust-libc-wrapper is not installed')
    shapes = []
    for name, command in (('ours', [program]),
                          ('theirs', ['env', f'LD_PRELOAD={found[0]}', program])):
        result = hak('record', '--private', '-o', name, '--', *command,
                     env={'HAKMEM_LIBC_EVENTS': '1', 'LTTNG_UST_REGISTER_TIMEOUT': '20000'})
        assert result.code == 0, result.err
        recorded = told(hak.cwd / name)
        assert said(result.out)[0] in recorded   # those of `env`, which is ours, come before
        shapes.append({name: list(fields) for name, fields in
                       recorded[recorded.index(said(result.out)[0]):]})
    assert set(shapes[0]) == set(NAMES) and shapes[0] == shapes[1]
