"""hak top where no terminal is: the facts of a snapshot, a line each."""

import sys

from hak.reporters.plain import line


def show(told: dict) -> None:
    out = sys.stdout
    line(out, 'top', state=told['state'], why=told['why'], behind=told['behind'],
         lost_events=told['lost']['events'], lost_packets=told['lost']['packets'])
    for process in told['processes']:
        memory, rates = process['memory'], process['rates']
        line(out, 'process', pid=process['pid'], name=process['name'], ended=process['ended'],
             rss=memory.get('rss'), superslab_bytes=memory.get('superslab_bytes'),
             **{f'{key}_per_s': rates[key] for key in ('acquires', 'empties', 'legacy')},
             **process['counts'])
        for each in process['classes']:
            if each['acquires'] or each['active'] or any(each['ever'].values()):
                line(out, 'class', pid=process['pid'], cls=f"C{each['cls']}",
                     active=each['active'], cap=each['cap'], acquires=each['acquires'],
                     per_s=each['acquire_rate'], **each['ever'])
    for failure in told['failures']:
        line(out, 'failure', **failure)
    out.flush()
