"""`hak report` in a pipe."""

from dataclasses import asdict
from functools import partial
from typing import TextIO

from hak import times
from hak.model import Report
from hak.reporters import plain

OPS = {'classes': 'class', 'processes': 'process', 'threads': 'thread', 'sizes': 'size'}


def write(report: Report, out: TextIO) -> None:
    line = partial(plain.line, out)
    seconds = partial(_seconds, report.begin)
    line('trace', path=report.trace, begin=times.clock(report.begin), date=times.day(report.begin),
         seconds=(report.end - report.begin) / 1e9, events=report.events, foreign=report.foreign)
    for text in report.warnings:
        line('warning', text=text)
    for process in report.processes:
        _process(process, line, seconds)
    _losses(report, line, seconds)
    _stages(report, line)
    _classes(report, line)
    for fail in report.shared_fail:
        line('shared_fail', **{**fail, 'first': seconds(fail['first']),
                               'last': seconds(fail['last'])})
    for row in report.legacy:
        line('legacy', **row)
    _failures(report, line, seconds)
    _dumps(report, line, seconds)
    _memory(report, line, seconds)
    _slabs_and_threads(report, line, seconds)
    line('checked', **report.checked)
    for finding in report.findings:
        line('finding', name=finding.name, severity=finding.severity, text=finding.sentence())


def _seconds(begin: int, ns) -> float:
    return None if ns is None else (ns - begin) / 1e9


def _process(process, line, seconds) -> None:
    line('process', pid=process.pid, name=process.name, begin=seconds(process.begin),
         end=seconds(process.end), events=process.events, version=process.version,
         flavour=process.flavour, parent=process.parent or None, complete=process.complete,
         base=seconds(process.base), program=process.program if process.program > 1 else None,
         ppid=process.ppid, helper=process.helper or None, command=process.command or None)
    for key, value in process.settings.items():
        line('setting', pid=process.pid, key=key, value=value)


def _losses(report: Report, line, seconds) -> None:
    lost = report.lost
    line('lost', events=lost['events'], packets=lost['packets'], uncounted=lost['uncounted'],
         unfinished=seconds(lost['unfinished']), known=not lost['doubts'])
    for kind, (told, count) in report.told_singly.items():
        if told < count:
            line('told_singly', kind=kind, told=told, count=count)
    for pid in report.cut_short:
        line('storm_cut_short', pid=pid)
    for row in lost['intervals']:
        line('loss', kind=row['kind'], begin=seconds(row['begin']), end=seconds(row['end']),
             count=row['count'], state=row['state'], stream=row['stream'])


def _stages(report: Report, line) -> None:
    line('lives', count=report.lives, carried=report.carried)
    line('acquires', count=report.acquires)
    for stage, count in report.stages.items():
        share = count / report.acquires if report.acquires else 0.0
        line('stage', name=stage, acquires=count, share=share, mean_ns=report.stage_ns[stage],
             **report.stage_outcomes[stage])


def _classes(report: Report, line) -> None:
    for cls, item in report.classes.items():
        facts = asdict(item)
        stages, lifetime = facts.pop('stages'), facts.pop('lifetime')
        facts.pop('peak_at')
        line('class', cls=cls, **facts, **stages)
        if lifetime:
            line('lifetime_ns', cls=cls, **lifetime)


def _failures(report: Report, line, seconds) -> None:
    for reason, count in report.ace_fail.items():
        line('ace_fails', reason=reason, count=count)
    for kind, count in report.failure_counts.items():
        line('failures', kind=kind, count=count)
    for kind, rows in report.failures.items():
        for row in rows:
            line(kind, **{**row, 'time': seconds(row['time'])})


def _dumps(report: Report, line, seconds) -> None:
    for row in report.dumps:
        line('dump', **{**row, 'begin': seconds(row['begin']), 'end': seconds(row['end'])})
    for row in report.dumped:
        line('dumped_class', **{**row, 'time': seconds(row['time'])})
    for row in report.pressure:
        line('pressure', **{**row, 'time': seconds(row['time'])})


def _memory(report: Report, line, seconds) -> None:
    for row in report.memory:
        line('memory', **{**row, 'peak_at': seconds(row['peak_at'])})
    for series in report.memory_over_time:
        for number, part in enumerate(series['parts']):
            line('mapped', pid=series['pid'], part=number, **part)
    for one in report.split:
        for when in ('largest', 'last'):
            _split(one, when, line, seconds)
    line('regretted', **report.regretted)
    for row in report.ace_failures:
        line('ace_failure', **{**row, 'first': seconds(row['first']),
                               'last': seconds(row['last'])})
    for row in report.caps:
        line('cap_change', **{**row, 'time': seconds(row['time'])})
    for row in report.sizes:
        line('ss_size_change', **{**row, 'time': seconds(row['time'])})
    for row in report.class_sizes:
        line('class_size', **{**row, 'first': seconds(row['first']), 'last': seconds(row['last'])})
    for row in report.superslabs:
        line('superslabs', **row)


def _split(one: dict, when: str, line, seconds) -> None:
    told = one[when]
    line('split', pid=one['pid'], when=when, time=seconds(told['time']),
         **{key: told[key] for key in ('rss', 'anon', 'file')}, **told['parts'],
         **{f'off_{part}': by for part, by in told['errors'].items()},
         **{key: told[key] for key in ('live_blocks', 'live_error', 'requested', 'requested_least',
                                       'requested_most', 'beyond')})


def _slabs_and_threads(report: Report, line, seconds) -> None:
    for row in report.threads:
        line('thread', **{**row, 'begin': seconds(row['begin']), 'end': seconds(row['end'])})
    for what, singular in OPS.items() if report.ops else ():
        for row in report.ops[what]:
            line(f'ops_{singular}', **{key: value for key, value in row.items() if key != 'proc'})
    line('remote', **report.remote)
    for kind, rows in report.worst.items():
        for row in rows:
            if 'begin' in row:
                row = {**row, 'begin': seconds(row['begin'])}
            line(f'worst_{kind}', **row)
