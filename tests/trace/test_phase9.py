"""scripts/phase9: the old failure and its remedies, with little to do."""

import json
import subprocess
from pathlib import Path

from running import SECONDS

ROOT = Path(__file__).resolve().parents[2]


def phase9(*args: str) -> subprocess.CompletedProcess:
    return subprocess.run([ROOT / 'scripts/phase9', '--rounds', '1', '--operations', '2000000', *args],
                          capture_output=True, text=True, timeout=SECONDS, check=False)


def test_the_old_failure_is_there_and_recycling_mends_it():
    done = phase9('--json')
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    found = {variant['name']: variant for variant in told['variants']}
    assert list(found) == ['baseline', 'A', 'B', 'D', 'A+B', 'A+B+D', 'today']
    for name in ('baseline', 'B', 'D'):
        assert found[name]['legacy'] > 0, name
    for name in ('A', 'A+B', 'A+B+D', 'today'):
        assert found[name]['legacy'] == 0, name
    process, = told['oom']['processes']
    assert process['verdicts'][0]['cause'] == 'stranded_empty'


def test_the_table_is_whole():
    done = phase9()
    assert done.returncode == 0, done.stderr
    for line in ('baseline ', 'A+B+D ', 'today '):
        assert sum(each.startswith(line) for each in done.stdout.splitlines()) == 1
    assert 'legacy blocks                             0           0                   held' in done.stdout
    assert '1. stranded_empty' in done.stdout


def test_nothing_to_do_is_refused():
    done = subprocess.run([ROOT / 'scripts/phase9', '--rounds', '0'], capture_output=True, text=True,
                          timeout=SECONDS, check=False)
    assert done.returncode == 2
    assert 'at least one round' in done.stderr
