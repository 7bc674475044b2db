"""One session daemon, and the program that emits events, for all tests here."""

import pytest
from recorder import Recorder, recorder


@pytest.fixture(scope='session')
def lttng_recorder(tmp_path_factory) -> Recorder:
    with recorder(tmp_path_factory.mktemp('recorder')) as made:
        yield made


@pytest.fixture
def record(lttng_recorder, tmp_path):
    """record(script, …, **session options) -> the trace's directory."""
    def run(*scripts: str, name: str = 'trace', channels=(), **options):
        with lttng_recorder.session(tmp_path / name, *channels, **options) as emit:
            run.pids = [emit(script) for script in scripts]
        return tmp_path / name

    return run
