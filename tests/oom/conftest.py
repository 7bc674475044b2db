"""One ordinary user and one session daemon for all tests of a process; the confusion matrix."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import matrix  # noqa: E402
from flying import Flight, in_shm  # noqa: E402
from running import UsersDaemon, a_daemon, a_user, marked  # noqa: E402
from stage import Stage  # noqa: E402


@pytest.fixture(scope='session')
def daemon() -> Iterator[UsersDaemon]:
    with marked() as mark, a_user(mark) as hak, a_daemon(hak) as running:
        yield running


@pytest.fixture
def flight(daemon) -> Iterator[Flight]:
    for flight in in_shm(daemon.hak):
        yield flight
        for snapshot in flight.snapshots():
            shutil.rmtree(snapshot)


@pytest.fixture
def stage(daemon, flight, tmp_path) -> Iterator[Stage]:
    """tmp_path is root's; what hak and LTTng write is the user's."""
    folder = Path(tempfile.mkdtemp(prefix='stage-', dir=daemon.hak.cwd))
    if daemon.hak.prefix:
        shutil.chown(folder, 'nobody')
    stage = Stage(daemon, flight, folder)
    try:
        yield stage
    finally:
        stage.clear()


def pytest_addoption(parser) -> None:
    parser.addoption('--every-way', action='store_true', help='record every scenario in every way, '
                     'apply every remedy, print all of it')


def pytest_configure(config) -> None:
    """Where all workers note their verdicts; they inherit the environment of the first process."""
    if not hasattr(config, 'workerinput'):
        os.environ[matrix.FOLDER] = tempfile.mkdtemp(prefix='hak-matrix-')


def pytest_unconfigure(config) -> None:
    if not hasattr(config, 'workerinput'):
        shutil.rmtree(os.environ.pop(matrix.FOLDER), ignore_errors=True)


def pytest_terminal_summary(terminalreporter, config) -> None:
    for line in matrix.lines(config.getoption('every_way')):
        terminalreporter.write_line(line)
