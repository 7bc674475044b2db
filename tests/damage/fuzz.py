"""Reads damaged copies of traces by every command and holds what comes of it against what was there.

    fuzz.py [COPIES] [SEED]     as `make fuzz` does

No signal, no traceback, no hang, an exit code that is documented, and no "nothing was lost" or
"proved" about a copy with fewer events than there were.
"""

import contextlib
import importlib
import io
import json
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'analysis'))

from recorder import ROOT, Channel, recorder  # noqa: E402  # the line above makes them importable
from damage import Damager  # noqa: E402
from history import SS, Wanderer  # noqa: E402

from hak import cli, completeness, ui  # noqa: E402

# A copy of these sizes takes tenths of a second; a command ends what hangs after 8 s of CPU time.
HANG_SECONDS = 240
COMMANDS = ('report --json', 'verify --json', 'oom --json', 'timeline --json')
# The same in words, of every fourth copy.
IN_WORDS = ('report drawn', 'report', 'verify', 'timeline drawn')
EVERY = 4


@dataclass
class Told:
    """What a command has said. code: negative for a signal, None if it hung."""
    code: int | None
    out: str
    err: str


@dataclass
class Figures:
    copies: int = 0
    runs: int = 0
    refused: int = 0
    signals: list = field(default_factory=list)
    tracebacks: list = field(default_factory=list)
    hangs: list = field(default_factory=list)
    codes: list = field(default_factory=list)
    untrue: list = field(default_factory=list)
    left: list = field(default_factory=list)
    unforeseen: dict = field(default_factory=dict)

    def failures(self) -> list:
        return [*self.signals, *self.tracebacks, *self.hangs, *self.codes, *self.untrue, *self.left]

    def line(self) -> str:
        return (f'{self.copies:,} copies, {self.runs:,} runs: {len(self.signals)} signals, '
                f'{len(self.tracebacks)} tracebacks, {len(self.hangs)} hangs, {len(self.codes)} '
                f'undocumented exit codes, {len(self.untrue)} untrue claims, {len(self.left)} with '
                f'files left; {self.refused:,} copies refused; {sum(self.unforeseen.values())} errors '
                'that nobody foresaw')


def run(command: str, trace: Path, scratch: Path) -> Told:
    """hak's command in a process of its own, without the time that Python takes to start."""
    words = command.split()
    argv = [words[0], str(trace), *(word for word in words[1:] if word != 'drawn')]
    files = [open(scratch / name, 'w+b') for name in ('out', 'err')]
    pid = os.fork()
    if pid == 0:
        _become(argv, 'drawn' in words, files, scratch)
    code = _wait(pid)
    said = []
    for file in files:
        file.seek(0)
        said.append(file.read().decode('utf-8', 'replace'))
        file.close()
    return Told(code, *said)


def _become(argv: list[str], drawn: bool, files: list, scratch: Path) -> None:
    code = 99
    try:
        for number, file in enumerate(files, 1):
            os.dup2(file.fileno(), number)
        sys.stdout, sys.stderr = (io.TextIOWrapper(open(number, 'wb', closefd=False),
                                                   encoding='utf-8') for number in (1, 2))
        tempfile.tempdir = str(scratch / 'tmp')
        if drawn:
            ui.on_terminal = lambda stream=None: stream is None or stream is sys.stdout
        with contextlib.suppress(SystemExit):
            code = cli.main(argv)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _wait(pid: int) -> int | None:
    fd = os.pidfd_open(pid)
    try:
        if not select.select([fd], [], [], HANG_SECONDS)[0]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(fd)


def events(report: Told) -> int | None:
    """Of the trace, by what the plugin has counted; None: it was refused."""
    return json.loads(report.out)['events'] if report.code == 0 else None


def claims(told: dict[str, Told]) -> list[str]:
    """What is said of the whole of the copy."""
    found = []
    if told['report --json'].code == 0:
        lost = json.loads(told['report --json'].out)['lost']
        if not any(lost[key] for key in ('events', 'packets', 'uncounted', 'unfinished', 'doubts')):
            found.append('nothing lost (JSON)')
    if 'report drawn' in told and 'nothing was lost' in told['report drawn'].out:
        found.append('nothing was lost')
    if 'verify' in told and told['verify'].out.startswith('proved'):
        found.append('proved')
    if told['verify --json'].out and json.loads(told['verify --json'].out)['proved']:
        found.append('proved (JSON)')
    return found


def try_copy(original: Path, there: int, seed: int, folder: Path, figures: Figures) -> str:
    """One damaged copy; what was done to it."""
    copy = folder / 'copy'
    shutil.rmtree(folder, ignore_errors=True)
    (folder / 'tmp').mkdir(parents=True)
    shutil.copytree(original, copy)
    done = f'seed {seed} of {original.name}: {Damager(copy, seed).damage()}'
    words = IN_WORDS if figures.copies % EVERY == 0 else ()
    told = {command: run(command, copy, folder) for command in (*COMMANDS, *words)}
    figures.copies += 1
    figures.runs += len(told)
    for command, said in told.items():
        what = f'{done}: hak {command}: {said.code} {said.err.strip()[-300:]}'
        if said.code is None:
            figures.hangs.append(what)
        elif said.code < 0:
            figures.signals.append(what)
        elif said.code not in (0, 1, 3) or (said.code == 3 and len(said.err.splitlines()) != 1):
            figures.codes.append(what)
        if 'Traceback' in said.out + said.err:
            figures.tracebacks.append(what)
        if 'PYTHONDEVMODE' in said.err:
            place = said.err.partition('(')[2].partition(')')[0]
            figures.unforeseen[place] = figures.unforeseen.get(place, 0) + 1
            figures.last = what
    read = events(told['report --json'])
    figures.refused += read is None
    if read is not None and read < there and (claimed := claims(told)):
        figures.untrue.append(f'{done}: {read} of {there} events: {", ".join(claimed)}')
    rest = [path.name for path in [*(folder / 'tmp').iterdir(), *folder.glob('.hak-*')]]
    if rest:
        figures.left.append(f'{done}: {rest}')
    return done


def originals(record, folder: Path) -> list[Path]:
    """Traces of two CPUs and several channels; one as `hak record` leaves it, with a note."""
    channels = [Channel('hakmem:process_start,hakmem:config,hakmem:thread_*,hakmem:superslab_*,'
                        'hakmem:acquire_*,hakmem:slab_*,hakmem:shared_fail', 8192, 64),
                Channel('hakmem:statedump_*,hakmem:ace_*,hakmem:oom,hakmem:hdr_reset', 8192, 64),
                Channel('hakmem:sll_*,hakmem:remote_*', 8192, 64)]
    made = []
    for number, seed in enumerate((3, 5)):
        trace = folder / f'original{number}'
        with record.session(trace, *channels) as emit:
            for part in (seed, seed + 10):
                emit(_script(part))
        made.append(trace)
    completeness.write_note(made[0], [])
    return made


def _script(seed: int) -> str:
    history = Wanderer(seed, 300).history
    history.add('config', key='HAKMEM_TINY_CAP', value='6:4', is_default=0)
    history.ace_fail(70000, 'MID', 'EXHAUSTION', class_size=81920, used=90, limit=100)
    history.add('hdr_reset', base=hex(SS), got=1, expect=166, count=1)
    history.dump(seq=7)
    lines = history.text().splitlines()
    # Now on one CPU, now on the other.
    half = max(1, len(lines) // 6)
    return ''.join(f'cpu {number % 2}\n' + '\n'.join(lines[at:at + half]) + '\n'
                   for number, at in enumerate(range(0, len(lines), half)))


def check(made: list[Path], copies: int, seed: int, folder: Path, progress=None) -> Figures:
    # Once, for all children.
    for name in ('bt2', 'hak.babeltrace', 'rich.progress', 'rich.table', 'rich.console',
                 *(f'hak.commands.{command.split()[0]}' for command in COMMANDS),
                 *(f'hak.reporters.{path.stem}' for path in
                   (ROOT / 'analysis/hak/reporters').glob('*.py') if path.stem != '__init__')):
        importlib.import_module(name)
    figures = Figures()
    (folder / 'tmp').mkdir(parents=True, exist_ok=True)
    whole = {}
    for trace in made:
        told = {command: run(command, trace, folder) for command in (*COMMANDS, *IN_WORDS)}
        assert claims(told) == ['nothing lost (JSON)', 'nothing was lost', 'proved', 'proved (JSON)'], told
        whole[trace] = events(told['report --json'])
    for number in range(copies):
        try_copy(made[number % len(made)], whole[made[number % len(made)]], seed + number,
                 folder / 'copy', figures)
        if progress:
            progress(figures)
    return figures


def _tell():
    """Says each failure when it comes, and every hundredth time how it stands."""
    said = 0

    def tell(figures: Figures) -> None:
        nonlocal said
        failures = figures.failures()
        if len(failures) > said:
            print(*failures, sep='\n', flush=True)
            said = len(failures)
        if figures.copies % 100 == 0:
            print(figures.line(), flush=True)

    return tell


def main(argv: list[str]) -> int:
    copies = int(argv[0]) if argv else 3000
    seed = int(argv[1]) if len(argv) > 1 else random.randrange(1 << 32)
    print(f'seed {seed}', flush=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='hak-fuzz-') as name, recorder(Path(name)) as record:
        figures = check(originals(record, Path(name)), copies, seed, Path(name) / 'work', _tell())
    for place, count in sorted(figures.unforeseen.items()):
        print(f'nobody foresaw {count} errors in {place}')
    print(f'{figures.line()}; {time.monotonic() - begun:.0f} s')
    return 1 if figures.failures() else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
