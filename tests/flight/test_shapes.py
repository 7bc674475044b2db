"""Flight's own files, whatever is in them: never a traceback, and `stop` has an answer."""

import copy
import json
import os
from collections.abc import Iterator
from dataclasses import asdict

import pytest
from conftest import ROOT
import sys

sys.path.insert(0, str(ROOT / 'analysis'))
from hak import flight  # noqa: E402
from hak import flight_state as states  # noqa: E402
from hak.buffers import Buffers  # noqa: E402
from hak.errors import HakError  # noqa: E402
from hak.reporters import flight_plain  # noqa: E402

VALUES = (None, True, -1, 0, 1e308, 1 << 80, float('nan'), '', 'x', '\0', '\ud800', '/etc', [], [1],
          {}, {'x': 1}, {'name': {}}, [[]])
DEEP = '[' * 100_000
FILES = {'state.json': ('', 'null', '[]', '"x"', '3', '{', '{}', DEEP, '9' * 10_000, '\0'),
         'watch.json': ('', 'null', '[]', '"x"', '3', '{', DEEP, '\0')}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_STATE_HOME', str(tmp_path))
    monkeypatch.setenv('LTTNG_HOME', str(tmp_path))   # where no daemon is
    folder = tmp_path / 'hakmem/flight'
    folder.mkdir(parents=True, mode=0o700)
    return folder


def whole() -> dict:
    settings = states.Settings('/nowhere/out', '/nowhere', 3, 5, 60.0, 65536)
    process = states.Process(4, 5)
    state = states.State(settings, flight._session_name(), '/nowhere', 1.5,
                         f'/nowhere/{flight._session_name()}-0', states.ON, False,
                         {'failure': Buffers(65536, 8)}, process, process)
    return {'state.json': asdict(state),
            'watch.json': asdict(states.Seen({'oom': states.Fired(1, 2.0)}, ['a'], 3))}


def places(value, path=()) -> Iterator[tuple]:
    yield path
    inner = value.items() if isinstance(value, dict) else (
        enumerate(value) if isinstance(value, list) else ())
    for key, each in inner:
        yield from places(each, (*path, key))


def exchanged(value, path, by):
    if not path:
        return by
    value = copy.copy(value)
    value[path[0]] = exchanged(value[path[0]], path[1:], by)
    return value


def without(value, path):
    value = copy.deepcopy(value)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return value


def shapes(name: str) -> Iterator[str]:
    """One thing in it is another, or is not there."""
    right = whole()[name]
    yield from FILES[name]
    for path in places(right):
        yield from (json.dumps(exchanged(right, path, value)) for value in VALUES)
        if path:
            yield json.dumps(without(right, path))


@pytest.mark.parametrize('name', FILES)
def test_whatever_is_in_it_status_shows_it_or_says_that_it_is_damaged(folder, name, monkeypatch,
                                                                      capsys):
    for each, value in whole().items():
        (folder / each).write_text(json.dumps(value))
    told = {True: 0, False: 0}
    for text in shapes(name):
        (folder / name).write_text(text)
        try:
            state = flight.existing()
            flight_plain.show(flight.status(state))
            json.dumps(flight_plain.as_json(flight.status(state)))
            told[True] += 1
        except HakError as error:
            assert f'{name} is damaged' in error.line(), text[:300]
            assert len(error.line().splitlines()) == 1
            told[False] += 1
    assert told[True] > 20 and told[False] > 100, told


@pytest.mark.parametrize('name', FILES)
def test_what_is_no_file_gets_a_line(folder, tmp_path, name):
    victim = tmp_path / 'victim'
    victim.write_text('precious')
    for make in (lambda path: path.mkdir(), os.mkfifo, lambda path: path.symlink_to(victim),
                 lambda path: path.symlink_to(path), lambda path: path.symlink_to('/dev/zero')):
        for each, value in whole().items():
            (folder / each).unlink(missing_ok=True)
            (folder / each).write_text(json.dumps(value))
        (folder / name).unlink()
        make(folder / name)
        with pytest.raises(HakError, match=name):
            flight.status(flight.existing())
        (folder / name).rmdir() if (folder / name).is_dir() else (folder / name).unlink()
    assert victim.read_text() == 'precious'


@pytest.mark.parametrize('text', ('', 'null', '[]', '{}', DEEP))
def test_stop_removes_what_start_cannot_read(user_hak, text):
    folder = user_hak.cwd / 'home/.local/state/hakmem/flight'
    folder.mkdir(parents=True)
    (folder / 'state.json').write_text(text)
    if user_hak.prefix:
        for path in (folder / 'state.json', folder, *list(folder.parents)[:4]):
            os.chown(path, 65534, 65534)
    for verb in ('status', 'start', 'dump'):
        result = user_hak('flight', verb)
        assert (result.code, len(result.err.splitlines())) == (3, 1), result.err
        assert 'state.json is damaged: run `hak flight stop`' in result.err
    result = user_hak('flight', 'stop')
    assert result.code == 0 and 'Traceback' not in result.err, result.err
    assert user_hak('flight', 'status').code == 1
    assert not (folder / 'state.json').exists()
