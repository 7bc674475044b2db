"""hak oom: why memory ran out."""

import argparse
import shlex
from pathlib import Path
from typing import Optional

from hak import fate, reading, ui
from hak.errors import FINDINGS, OK, HakError
from hak.oom import inputs, judge
from hak.oom.verdict import CAUSES, Answer

DESCRIPTION = '''
Holds a recording against the known causes of memory that runs out or grows, and names those that
it shows: the first in time and weight first, with the evidence and what to change.

PATH is what `hak record` wrote, a snapshot, a directory of snapshots (each is read, and what they
say of a process joined), or the shared memory that a killed process has left behind: flight's
folder or that of --shm-path.
'''
EPILOG = f'''
causes:
{chr(10).join(f'  {cause:<23}{meaning}' for cause, meaning in CAUSES.items())}

The exit code is 0 if no cause was found, 1 if one was.
'''


def prepare_parser(parser: argparse.ArgumentParser) -> None:
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.add_argument('path', metavar='PATH', type=Path,
                        help='a trace, a snapshot, a directory of snapshots, or shared memory')
    parser.add_argument('--json', action='store_true', help='everything, for programs')


def run(args: argparse.Namespace) -> int:
    answer = _ask(args.path)
    for text in answer.warnings:
        ui.note(f'warning: {text}')
    if args.json:
        ui.print_json(answer.as_json())
    else:
        from hak.reporters import oom_text

        oom_text.write(answer)
    return FINDINGS if answer.found else OK


def _ask(path: Path) -> Answer:
    answers, failures, looks = {}, [], {}
    with inputs.recordings(path) as traces:
        several = len(traces) > 1
        for trace in traces:
            try:
                answers[trace] = _answer(path, trace, trace if several else path,
                                         looks if several else None)
            except HakError as error:
                failures.append(error)
        for trace in [trace for trace in answers if _lacks_limits(answers[trace], looks)]:
            answers[trace] = _answer(path, trace, trace, None, looks)
    if not answers:
        raise failures[0]
    joined = judge.joined([*answers.values()])
    joined.warnings += [f'not read: {error.line()}' for error in failures]
    return joined


def _answer(path: Path, trace: Path, name: Path, found: Optional[judge.Elsewhere] = None,
            elsewhere: Optional[judge.Elsewhere] = None) -> Answer:
    """Of one recording; `name`: by which other commands find it. `found`: what it shows of
    processes is added for others; `elsewhere`: what others have shown."""
    with reading.opened(reading.Request(trace), whole=True) as source:
        for key, looks in judge.looks(source).items() if found is not None else ():
            found.setdefault(key, []).extend(looks)
        return Answer(str(path), source.first,
                      judge.judge(source, shlex.quote(str(name)), fate.read(trace), elsewhere),
                      list(source.warnings))


def _lacks_limits(answer: Answer, looks: judge.Elsewhere) -> bool:
    """Was it refused memory, and others know what the limits were?"""
    return any(verdict.cause == 'map_fail_unknown' and looks.get((process.pid, process.name))
               for process in answer.processes for verdict in process.verdicts)
