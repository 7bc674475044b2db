"""Every cause, recorded in several ways, is named first; its near misses are not called so."""

import matrix
import pytest
import scenarios
from remedies import those_that_fail
from scenarios import Scenario
from stage import Answer, asked, in_group

NUMBERED = list(enumerate(scenarios.SCENARIOS))


@pytest.mark.parametrize('order, scenario', NUMBERED, ids=[each.name for _, each in NUMBERED])
def test_verdict(stage, order, scenario, pytestconfig):
    if scenario.missing:
        pytest.skip(scenario.missing)
    every = pytestconfig.getoption('every_way')
    with in_group(stage, scenario.group):
        traces = stage.at_once(scenario, every)
        traces['late'] = stage.late(scenario)
        killed = stage.group.kills() if stage.group else 0
        assert killed == (2 if scenario.group and scenario.causes else 0)
        answers = {way: asked(*trace) for way, trace in traces.items()}
        wrong = {way: why for way, answer in answers.items()
                 if (why := judged(scenario, answer))}
        matrix.note(scenario.name, order, {way: answer.causes[0] if answer.causes else '-'
                                           for way, answer in answers.items()}, wrong)
        assert not wrong, {way: (why, answers[way].whole) for way, why in wrong.items()}
        if scenario.remedy:
            texts = list(dict.fromkeys(each.whole['verdicts'][0]['change']
                                       for each in answers.values()))[:None if every else 1]
            failed = those_that_fail(
                scenario.name, order, scenario.causes[0], texts,
                lambda *how: asked(*stage.changed(scenario, *how)).causes)
            assert not failed, f'did not end it: {failed}'


def judged(scenario: Scenario, answer: Answer) -> str:
    """What is wrong with the answer, '' if nothing is."""
    if tuple(answer.causes[:len(scenario.causes)]) != scenario.causes:
        return f'named {answer.causes} instead of {scenario.causes}'
    if wrong := {*scenario.never} & {*answer.causes}:
        return f'named {sorted(wrong)}'
    if not scenario.causes and not scenario.never and answer.causes:
        return f'named {answer.causes} where nothing was wrong'
    return ''
