"""Every cause, recorded in four ways, is named first; its near misses are not called so."""

import contextlib

import group
import matrix
import pytest
import scenarios
from scenarios import Scenario
from stage import Answer, Stage, asked

NUMBERED = list(enumerate(scenarios.SCENARIOS))


@pytest.mark.parametrize('order, scenario', NUMBERED, ids=[each.name for _, each in NUMBERED])
def test_verdict(stage, order, scenario):
    if scenario.missing:
        pytest.skip(scenario.missing)
    with in_group(stage, scenario):
        traces = stage.at_once(scenario)
        traces['late'] = stage.late(scenario)
    answers = {way: asked(*trace) for way, trace in traces.items()}
    wrong = {way: why for way, answer in answers.items()
             if (why := judged(scenario, way, answer))}
    matrix.note(scenario.name, order, {way: told(scenario, way, answer)
                                       for way, answer in answers.items()}, wrong)
    assert not wrong, {way: (why, answers[way].whole) for way, why in wrong.items()}


@contextlib.contextmanager
def in_group(stage: Stage, scenario: Scenario):
    if not scenario.group:
        yield
        return
    if not group.available():
        pytest.skip('no memory cgroup can be made here')
    with group.limited(scenario.group) as stage.group:
        yield
        killed = stage.group.kills()
    assert killed == (2 if scenario.causes else 0)


def judged(scenario: Scenario, way: str, answer: Answer) -> str:
    """What is wrong with the answer, '' if nothing is."""
    known, unknown = scenario.causes, ()
    if way in scenario.unknowable:
        known, unknown = (), scenario.causes
    if tuple(answer.causes[:len(known)]) != known:
        return f'named {answer.causes} instead of {known}'
    if wrong := {*scenario.never, *unknown} & {*answer.causes}:
        return f'named {sorted(wrong)}'
    if missing := {*unknown} - {*answer.insufficient}:
        return f'does not say that data is insufficient for {sorted(missing)}'
    if not scenario.causes and not scenario.never and answer.causes:
        return f'named {answer.causes} where nothing was wrong'
    return ''


def told(scenario: Scenario, way: str, answer: Answer) -> str:
    """The cell of the matrix."""
    unknown = way in scenario.unknowable and {*scenario.causes} <= {*answer.insufficient}
    return answer.causes[0] if answer.causes else '?' if unknown else '-'
