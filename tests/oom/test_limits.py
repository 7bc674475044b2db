"""A limit that is met is named first, and what is printed as the remedy ends the failure."""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import limits_scenarios
import pytest
from limits_scenarios import LIMITED, LOCKING, PUPPET, Limited
from running import HAK, SECONDS
from stage import PUPPET as PUPPET_PATH
from stage import Answer, asked


@dataclass
class Run:
    """`refused`: the program did not have all that it wanted."""
    trace: Path
    refused: bool
    said: str

    def answer(self) -> Answer:
        return asked(self.trace, self.pid)

    @property
    def pid(self) -> Optional[int]:
        from hak import fate

        return fate.read(self.trace).pid


def run(daemon, scenario: Limited, name: str, remedy: str = '') -> Run:
    """As a user does it, in a shell: by default, without a knob that only a test sets."""
    trace = daemon.hak.cwd / f'{scenario.name.replace(" ", "-")}-{name}'
    argv = [str(PUPPET_PATH) if word == PUPPET else word for word in scenario.argv]
    line = shlex.join([*(daemon.hak.prefix if scenario.root else ()), str(HAK), 'record', '-o',
                       str(trace), '--', *argv])
    script = '\n'.join([scenario.setup, remedy, f'exec {line}'])
    orders = ''.join(f'{order}\n' for order in scenario.orders)
    env = {**os.environ, **daemon.hak.env, 'HAKMEM_OOM_REPORT': '0'}
    user = [] if scenario.root else daemon.hak.prefix
    done = subprocess.run([*user, 'bash', '-c', script], input=orders, text=True,
                          env={key: value for key, value in env.items() if value is not None},
                          cwd=daemon.hak.cwd, capture_output=True, timeout=SECONDS, check=False)
    said = done.stdout + done.stderr
    assert trace.is_dir(), said
    answers = done.stdout.split()[1:]
    had = [int(order.split()[2]) == int(answer)
           for order, answer in zip(scenario.orders, answers) if order.startswith('hold')]
    return Run(trace, done.returncode != 0 or not all(had)
               or len(answers) != len(scenario.orders), said)


def remedied(daemon, scenario: Limited) -> None:
    first = run(daemon, scenario, 'before')
    assert first.refused != scenario.served, first.said
    answer = first.answer()
    assert answer.causes and answer.causes[0] == scenario.cause, answer.whole
    change = answer.whole['verdicts'][0]['change']
    assert scenario.more in change, change
    again = run(daemon, scenario, 'after', change)
    assert not again.refused, (change, again.said)
    after = again.answer()
    assert scenario.cause not in after.causes, (change, after.whole)
    # Nor has it another limit's place only.
    assert not [cause for cause in after.causes if cause in RELATED], (change, after.whole)


RELATED = {'soft_cap', 'scan_limit', 'stranded_empty', 'ace_exhaustion', 'ace_threshold',
           'map_fail_unknown', *(each.cause for each in (*LIMITED, LOCKING))}


@pytest.mark.parametrize('scenario', LIMITED, ids=[each.name for each in LIMITED])
def test_the_remedy_ends_the_failure(daemon, scenario):
    remedied(daemon, scenario)


def test_the_remedy_ends_the_failure_of_who_locks_his_memory(daemon):
    remedied(daemon, limits_scenarios.LOCKING)
