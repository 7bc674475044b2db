"""`hak oom` for people: a screen."""

import shlex

from rich.text import Text

from hak import helpers, times, ui
from hak.oom.verdict import CAUSES, Answer, ProcessVerdict, Verdict

VERDICTS_SHOWN, EVIDENCE_SHOWN, PROCESSES_SHOWN = 5, 4, 4
COMMAND_SHOWN = 100


def write(answer: Answer) -> None:
    console = ui.console()
    guilty = sorted((each for each in answer.processes if each.verdicts),
                    key=lambda each: each.verdicts[0].first_time)
    for process in guilty[:PROCESSES_SHOWN]:
        _process(process, answer.begin, console)
    if len(guilty) > PROCESSES_SHOWN:
        console.print(f'… and causes in {len(guilty) - PROCESSES_SHOWN} more processes: --json')
    _rest([each for each in answer.processes if not (each.verdicts or each.helper)],
          bool(guilty), console)
    if small := [each.name for each in answer.processes if each.helper]:
        console.print(Text(f'{helpers.told(small)} did nothing of note', 'dim'))


def _command(argv: list[str]) -> str:
    """On one line, however long: a script may be an argument."""
    text = ui.one_line(shlex.join(argv))
    return text if len(text) <= COMMAND_SHOWN else f'{text[:COMMAND_SHOWN - 1]}…'


def _process(process: ProcessVerdict, begin: int, console) -> None:
    ended = f', {process.ended}: {_command(process.command)}' if process.ended else ''
    console.print(Text.assemble('process ', (f'{process.pid} {process.name}', 'bold'), ended))
    if process.split:
        console.print(Text.assemble(
            ('   ' + f'{times.since(process.split.time, begin):>12}  ', 'dim'),
            f'when it was largest, {process.split.sentence()}'))
    for number, verdict in enumerate(process.verdicts[:VERDICTS_SHOWN], 1):
        _verdict(number, verdict, begin, console)
    for verdict in process.verdicts[VERDICTS_SHOWN:]:
        console.print(f'also {verdict.cause}, {verdict.confidence:.0%} sure: {verdict.change}')
    _unknown(process, console)


def _verdict(number: int, verdict: Verdict, begin: int, console) -> None:
    console.print(Text.assemble(
        f'{number}. ', (verdict.cause, 'bold red'), f': {CAUSES[verdict.cause]} (sure to '
        f'{verdict.confidence:.0%}, explains {verdict.weight:.0%})'))
    for evidence in verdict.evidence[:EVIDENCE_SHOWN]:
        time = '' if evidence.time is None else times.since(evidence.time, begin)
        console.print(Text.assemble((f'   {time:>12}  ', 'dim'), evidence.text))
    console.print(Text.assemble('   change: ', (verdict.change, 'green')))


def _unknown(process: ProcessVerdict, console) -> None:
    """Causes for which data was insufficient, those with the same reason together."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for each in process.insufficient:
        reasons.setdefault((each.why, each.record), []).append(each.cause)
    for (why, record), causes in reasons.items():
        console.print(Text.assemble(('insufficient data', 'yellow'),
                                    f' for {", ".join(causes)}: {why}; next time: {record}'))


def _rest(innocent: list[ProcessVerdict], others: bool, console) -> None:
    if not innocent:
        return
    named = ', '.join(f'{each.pid} {each.name}' for each in innocent)
    who = (f'process {named}' if len(innocent) == 1 else f'processes {named}'
           if len(innocent) <= PROCESSES_SHOWN else
           ui.counted(len(innocent), 'other process' if others else 'process',
                      'other processes' if others else 'processes'))
    causes = {each.cause for process in innocent for each in process.insufficient}
    console.print(Text(f'{who}: no cause found', 'green')
                  + Text(f'; data is insufficient for {", ".join(sorted(causes))}' if causes
                         else ''))
