"""The part of `hak report` on a terminal that tells where the memory went."""

from rich.text import Text

from hak import times, ui
from hak.model import Report
from hak.reporters.tables import heading, level, table

# The largest.
PROCESSES_SHOWN = 3


def draw(report: Report, console) -> None:
    if not report.dumps:
        return
    heading(console, 'Where the memory went')
    if not report.split:
        console.print('not recorded: no state dump says what is in memory')
        return
    largest = sorted(report.split, key=lambda one: -one['largest']['rss'])
    for one in largest[:PROCESSES_SHOWN]:
        _process(one, report.begin, len(largest) > 1, console)
    if len(largest) > PROCESSES_SHOWN:
        console.print(Text(f'… and {len(largest) - PROCESSES_SHOWN} smaller processes: --json', 'dim'))


def _process(one: dict, begin: int, several: bool, console) -> None:
    if several:
        console.print(Text(f'process {one["pid"]} {one["name"]}', 'bold'))
    most, last = one['largest'], one['last']
    columns = [most] if most['time'] == last['time'] else [most, last]
    heads = [f'{name}, at {times.since(told["time"], begin)}'
             for name, told in zip(('largest', 'last'), columns)]
    shown = table('', *(word for head in heads for word in (head, '%', '±')))
    shown.add_column('', header_style='dim')
    for part, words in one['parts'].items():
        if any(told['parts'][part] for told in columns):
            shown.add_row(part.replace('_', ' '),
                          *(cell for told in columns for cell in _cells(told, part)), words)
    shown.add_row('files', *(cell for told in columns for cell in
                             (ui.size(told['file']), _share(told['file'], told), '')), one['file'])
    shown.add_row('RSS', *(cell for told in columns for cell in (ui.size(told['rss']), '', '')),
                  'as the kernel counts')
    console.print(shown)
    rss = [told['rss'] for told in one['over_time']]
    if len(rss) > 1:
        console.print(f'{"".join(level(value, most["rss"]) for value in rss)} RSS', soft_wrap=True)
    console.print(Text(_exactly(last), 'dim'), soft_wrap=True)


def _cells(told: dict, part: str) -> tuple[str, str, str]:
    value = told['parts'][part]
    error = told['errors'].get(part)
    return ui.size(value), _share(value, told), ui.size(error) if error else ''


def _share(value: int, told: dict) -> str:
    return f'{100 * value / told["rss"]:.0f}' if told['rss'] else ''


def _exactly(told: dict) -> str:
    """How exact what is live is, and what was asked for."""
    off = f'off by at most {ui.size(told["live_error"])}' if told['live_error'] else 'exact'
    text = (f'last: {ui.size(told["live_blocks"])} in live blocks ({off}), for requests of '
            f'{ui.size(told["requested"])}, by samples, certainly of '
            f'{ui.size(told["requested_least"])} to {ui.size(told["requested_most"])}')
    if told['beyond']:
        text += (f'; the kernel counts {ui.size(told["beyond"])} less than hakmem has in memory: '
                 'pages that were only read, say')
    return text

