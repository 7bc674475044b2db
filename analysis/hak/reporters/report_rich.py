"""`hak report` on a terminal: the story, drawn with rich."""

from rich.text import Text

from hak import helpers, times, ui
from hak.geometry import STAGE_NAMES, STAGES, class_name, class_text
from hak.model import Report
from hak.reporters import memory_rich, ops_rich
from hak.reporters.tables import SHOWN, heading, more, table

SEVERITY = {3: 'bold red', 2: 'yellow', 1: 'cyan'}
# Narrower terminals get fewer columns.
WIDE = 110


def draw(report: Report) -> None:
    console = ui.console()
    _recorded(report, console)
    _findings(report, console)
    _stages(report, console)
    _classes(report, console)
    _refusals(report, console)
    _failures(report, console)
    ops_rich.draw(report, console)
    memory_rich.draw(report, console)
    _slabs(report, console)
    _threads(report, console)
    _verdict(report, console)


def _recorded(report: Report, console) -> None:
    console.print(Text(report.trace, 'bold'))
    console.print(f'{times.day(report.begin)} {times.clock(report.begin)}, '
                  f'{ui.duration(report.end - report.begin)}, '
                  f'{ui.counted(report.events, "event")}, '
                  f'{ui.counted(report.acquires, "acquire")}, '
                  f'{ui.counted(report.lives, "life", "lives")} of slabs')
    if report.window:
        begin, end = (times.since(ns, report.begin) for ns in report.window)
        console.print(f'only from {begin} s to {end} s')
    for text in report.warnings:
        console.print(Text(f'warning: {text}', 'yellow'))
    _losses(report, console)
    whole = _by_process(report.processes)
    processes = [programs for programs in whole if not all(each.helper for each in programs)]
    for programs in processes[:SHOWN]:
        console.print(f'process {programs[0].pid} {", then ".join(map(_process, programs))}: '
                      f'{times.since(programs[0].begin, report.begin)} … '
                      f'{times.since(programs[-1].end, report.begin)} s, '
                      f'{ui.counted(sum(each.events for each in programs), "event")}')
        for each in programs:
            if each.command not in ('', each.name):
                console.print(Text(f'  {each.command}', 'dim'), no_wrap=True, overflow='ellipsis')
    more(console, len(processes), 'process', 'processes')
    if small := [programs[-1].name for programs in whole if programs not in processes]:
        console.print(helpers.told(small))
    for process in [each for each in report.processes
                    if not each.complete and not each.helper][:SHOWN]:
        console.print(memory_rich.middle(process.pid, process.base, report.begin))


def _by_process(programs: list) -> list[list]:
    """What each process executed, in order."""
    found: list[list] = []
    of: dict[int, list] = {}
    for each in programs:
        if each.program == 1:
            of[each.pid] = []
            found.append(of[each.pid])
        of[each.pid].append(each)
    return found


def _process(process) -> str:
    how = ('' if process.complete else f' (forked from {process.parent})' if process.parent
           else ' (began before the recording)')
    changed = ''.join(f' {key}={value}' for key, value in process.settings.items())
    return (process.name or '?') + how + changed


def _losses(report: Report, console) -> None:
    lost = report.lost
    if lost['unfinished']:
        console.print(Text(f'from {times.since(lost["unfinished"], report.begin)} s on events may be '
                           'missing: the ends of some streams are not there', 'yellow'))
    if report.nothing_lost:
        console.print(Text('nothing was lost', 'green'))
    elif report.lost_words:
        console.print(Text(f'lost: {report.lost_words}', 'yellow'))
    elif lost['doubts']:
        console.print(Text('whether events are missing is not known', 'yellow'))
    for row in lost['intervals'][:SHOWN]:
        console.print(f'  {times.since(row["begin"], report.begin)} … '
                      f'{times.since(row["end"], report.begin)} s: '
                      f'{"?" if row["count"] is None else ui.number(row["count"])} {row["kind"]}')
    if report.sums_words:
        console.print(report.sums_words)


def _findings(report: Report, console) -> None:
    heading(console, 'Findings')
    if not report.findings:
        console.print(Text('none: nothing here needs a change', 'green'))
    for finding in report.findings:
        style = SEVERITY[finding.severity]
        console.print(Text.assemble(('● ', style), finding.sentence()), soft_wrap=True)


def _share(part: int, whole: int) -> str:
    return f'{part / whole:.1%}' if whole else '-'


def _stages(report: Report, console) -> None:
    if not report.acquires:
        return
    heading(console, 'Stages: who served the acquires')
    shown = table('stage', 'acquires', 'share', 'tried', 'mean', '')
    shown.columns[-1].justify = 'left'
    for stage in STAGES:
        count, tried = report.stages[stage], sum(report.stage_outcomes[stage].values())
        bar = '█' * round(30 * count / report.acquires)
        shown.add_row(STAGE_NAMES[stage], ui.number(count), _share(count, report.acquires),
                      ui.number(tried), ui.duration(report.stage_ns[stage]), bar)
    console.print(shown)


def _classes(report: Report, console) -> None:
    classes = {cls: item for cls, item in report.classes.items()
               if item.lives or item.carried or item.acquires or item.legacy or item.refills}
    if not classes:
        return
    heading(console, 'Size classes')
    wide = console.width >= WIDE
    names = [STAGE_NAMES[stage] for stage in STAGES] if wide else []
    shown = table('class', 'acquires', *names, 'live', 'peak', 'cap', 'lives', 'refused',
                   'legacy', 'half live', '99 %')
    for cls, item in classes.items():
        stages = [ui.number(item.stages[stage]) if item.stages[stage] else '·'
                  for stage in STAGES] if wide else []
        half, long = ((ui.duration(item.lifetime.p50), ui.duration(item.lifetime.p99))
                      if item.lifetime else ('-', '-'))
        shown.add_row(class_text(cls), ui.number(item.acquires), *stages, ui.number(item.live),
                      ui.number(item.live_peak), ui.number(item.cap) if item.cap else '-',
                      ui.number(item.lives), ui.number(item.shared_fail), ui.number(item.legacy),
                      half, long)
    console.print(shown)


def _refusals(report: Report, console) -> None:
    if report.shared_fail:
        heading(console, 'Refused by every stage')
        shown = table('class', 'reason', 'requests', 'cap', 'listed', 'marked', 'beyond',
                       'unmarked', left=2)
        for row in report.shared_fail[:SHOWN]:
            shown.add_row(class_name(row['cls']), row['reason'].removeprefix('FAIL_').lower(),
                          *(ui.number(row[key]) for key in ('count', 'cap', 'listed', 'marked',
                                                            'beyond', 'unmarked')))
        console.print(shown)
    if report.legacy:
        heading(console, 'Served by the legacy backend')
        shown = table('class', 'why', 'by', 'blocks', 'bytes', left=3)
        for row in report.legacy:
            shown.add_row(class_name(row['cls']), row['why'].removeprefix('WHY_').lower(),
                          row['source'].lower(), ui.number(row['blocks']), ui.size(row['bytes']))
        console.print(shown)


def _failures(report: Report, console) -> None:
    if not any(report.failure_counts.values()):
        return
    heading(console, 'Failures')
    for kind, rows in report.failures.items():
        for row in rows[:SHOWN]:
            said = ' '.join(f'{key}={value}' for key, value in row.items()
                            if key != 'time' and value not in (None, ''))
            console.print(Text.assemble(f'{times.since(row["time"], report.begin)} ',
                                        (kind, 'red'), f' {said}'))
        more = report.failure_counts[kind] - SHOWN
        if more > 0:
            console.print(Text(f'… and {more:,} more {kind}', 'dim'))


def _slabs(report: Report, console) -> None:
    facts = {
        'longest': ('Longest lives', lambda row: f'gen {row["gen"]}, {ui.duration(row["length"])}'),
        'recycled': ('Most recycled', lambda row: f'{row["lives"]:,} lives'),
        'remote': ('Most freed by others', lambda row: f'gen {row["gen"]}, '
                   f'{row["pushed"]:,} blocks in {row["pushes"]:,} pushes'),
    }
    for kind, rows in report.worst.items():
        if rows:
            title, what = facts[kind]
            heading(console, title)
            for row in rows:
                console.print(f'{row["ss"]}#{row["mapping"]}:{row["slab"]}  '
                              f'{class_name(row["cls"])}  {what(row)}')


def _threads(report: Report, console) -> None:
    threads = [row for row in report.threads if row['acquires'] or row['refills'] or row['drains']]
    if not threads:
        return
    heading(console, 'Threads')
    columns = {'acquires': 'acquires', 'refused': 'refused'}
    if any(row['refills'] or row['drains'] for row in threads):  # the flow tier was recorded
        columns |= {'refilled': 'taken', 'given_own': 'given back', 'given_remote': 'to others',
                    'collected': 'from others'}
    shown = table('thread', 'pid', *columns.values())
    for row in threads[:SHOWN]:
        shown.add_row(str(row['tid'] or f'owner {row["owner"]}'), str(row['pid']),
                      *(ui.number(row[key]) for key in columns))
    console.print(shown)
    more(console, len(threads), 'thread', 'threads')


def _verdict(report: Report, console) -> None:
    checked = report.checked
    console.print()
    total = checked['transitions'] + checked['flows'] + checked['acquires']
    console.print(f'{total:,} transitions held against the state machine: '
                  f'{ui.counted(checked["violations"], "violation")}'
                  + (f', {checked["explained"]:,} unknown because of losses'
                     if checked['explained'] else ''))
