"""Real programs, recorded in five ways: what goes wrong in them is named first, and nothing where
nothing does."""

from collections.abc import Iterator
from pathlib import Path

import matrix
import pytest
import programs
from acting import Troupe
from stage import in_group, told
from programs import Program
from remedies import Remedy, those_that_fail

NUMBERED = list(enumerate(programs.PROGRAMS))
# Of the rows that are printed.
AFTER_SCENARIOS = 500
# Confidence from which on somebody would believe it.
BELIEVED = 0.5


@pytest.fixture
def troupe(stage, program) -> Iterator[Troupe]:
    troupe = Troupe(stage, program)
    yield troupe
    troupe.clear()


@pytest.mark.parametrize('order, program', NUMBERED, ids=[each.name for _, each in NUMBERED])
def test_verdict(troupe, order, program, pytestconfig):
    every = pytestconfig.getoption('every_way')
    with in_group(troupe.stage, program.group):
        traces = recorded(troupe, order, every)
        answers = {way: told(trace) for way, (trace, _) in traces.items()}
        wrong, first = {}, {}
        for way, answer in answers.items():
            first[way] = first_of(program, traces[way][1], answer)
            if why := judged(program, traces[way][1], answer):
                wrong[way] = why
        matrix.note(program.name, AFTER_SCENARIOS + order, first, wrong)
        assert not wrong, wrong
        if program.remedy:
            failed = those_that_fail(
                program.name, AFTER_SCENARIOS + order, program.cause,
                remedies_of(troupe, traces, answers, every), lambda *how: changed(troupe, *how))
            assert not failed, f'did not end it: {failed}'


def recorded(troupe: Troupe, order: int, every: bool) -> dict[str, tuple[Path, int]]:
    """In turn in one way or the other, if not every one is wanted."""
    if every:
        return {**troupe.recorded(), **troupe.late(), **troupe.killed()}
    return troupe.late() if order % 2 and not troupe.program.trigger else troupe.recorded()


def remedies_of(troupe: Troupe, traces: dict, answers: dict, every: bool) -> list[str]:
    """What the answers tell to do: the first of them, or all."""
    texts = [verdict['change'] for way, answer in answers.items()
             for process in mine(troupe.program, traces[way][1], answer)
             for verdict in process['verdicts'][:1] if verdict['cause'] == troupe.program.cause]
    return list(dict.fromkeys(texts))[:None if every else 1]


def changed(troupe: Troupe, name: str, remedy: Remedy) -> list[str]:
    trace, pid = troupe.changed(name, remedy)
    return [verdict['cause'] for process in mine(troupe.program, pid, told(trace))
            for verdict in process['verdicts']]


def mine(program: Program, pid: int, answer: dict) -> list[dict]:
    return [each for each in answer['processes']
            if (each['name'] == program.of if program.of else each['pid'] == pid)]


def first_of(program: Program, pid: int, answer: dict) -> str:
    verdicts = [verdict for process in mine(program, pid, answer)
                for verdict in process['verdicts'][:1]]
    return max(verdicts, key=lambda each: each['confidence'])['cause'] if verdicts else '-'


def judged(program: Program, pid: int, answer: dict) -> str:
    """What is wrong with the answer, '' if nothing is."""
    own = mine(program, pid, answer)
    if not own:
        return f'nothing is said of it: {answer}'
    if program.cause and first_of(program, pid, answer) != program.cause:
        return f'not {program.cause}: {own}'
    others = [each for each in answer['processes'] if not program.cause or each not in own]
    believed = [verdict for process in others for verdict in process['verdicts']
                if verdict['confidence'] >= BELIEVED]
    return f'named where nothing is wrong: {believed}' if believed else ''
