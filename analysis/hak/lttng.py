"""Recording sessions: what the `lttng` tool is asked to do, with bounded waits and clear errors.

Who runs the session daemon and how it is reached is daemon.py's business; a Session only knows
the command that talks to it.
"""

import os
import re
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from hak import limits
from hak.buffers import Buffers
from hak.errors import HakError

INSTALL = 'apt-get install lttng-tools'
# An idle daemon answers in milliseconds.
COMMAND_SECONDS = 30
# Ending a session waits until the consumer has written all buffers to the disk.
FLUSH_SECONDS = 180
CONTEXTS = ('vpid', 'vtid', 'procname')
# Buffers are written at least this often, so that little is lost with a daemon that dies.
SWITCH_MICROSECONDS = 1_000_000
_NO_XML = re.compile('[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')
_REFERENCE = re.compile('&#(x[0-9a-fA-F]{1,8}|[0-9]{1,10});')


@dataclass(frozen=True)
class Client:
    """How to talk to one session daemon."""
    command: tuple[str, ...]   # 'lttng' and what must precede it
    env: dict[str, str]

    def run(self, *args: str, seconds: float = COMMAND_SECONDS) -> str:
        """stdout of `lttng args`; HakError with its complaint if it fails."""
        verb = next((arg for arg in args if not arg.startswith('-') and arg != 'xml'), 'lttng')
        try:
            # A session of its own: Ctrl-C is meant for the recorded program. But what it was about
            # to do when we are killed must not come after what the next command finds.
            done = subprocess.run(['setpriv', '--pdeathsig', 'KILL', *self.command, *args],
                                  env=self.env, timeout=seconds, stdin=subprocess.DEVNULL,
                                  capture_output=True, encoding='utf-8', errors='replace',
                                  start_new_session=True, check=False)
        except FileNotFoundError:
            raise HakError('setpriv is missing', 'apt-get install util-linux') from None
        except subprocess.TimeoutExpired:
            raise HakError(f'lttng {verb} gave no answer in {seconds:.0f} s',
                           'the session daemon hangs: see `hak doctor`') from None
        if done.returncode != 0:
            raise HakError(f'lttng {verb}: {_complaint(done.stderr, done.returncode)}',
                           limits.for_the_program_alone())
        return done.stdout

    def answers(self, seconds: float = 5) -> bool:
        try:
            self.run('list', seconds=seconds)
        except HakError:
            return False
        return True

    def sessions(self) -> list[str]:
        return [element.text or '' for element in
                elements(self.run('--mi', 'xml', 'list'), 'sessions/session/name')]


@dataclass(frozen=True)
class Losses:
    """What a recording could not keep. Sub-buffer overruns drop single events."""
    events: int
    packets: int

    def any(self) -> bool:
        return bool(self.events or self.packets)


@dataclass(frozen=True)
class Session:
    """One recording session that we created. No other session is ever touched."""
    client: Client
    name: str

    def add_channel(self, channel: str, events: list[str], buffers: Buffers) -> None:
        self._add_channel(channel, events, buffers, f'--switch-timer={SWITCH_MICROSECONDS}')

    def add_live_channel(self, channel: str, events: list[str], buffers: Buffers,
                         files: int, file_bytes: int) -> None:
        """Of a live session, whose timer switches buffers: the newest so many files of each
        stream are kept, and no more."""
        self._add_channel(channel, events, buffers, f'--tracefile-count={files}',
                          f'--tracefile-size={file_bytes}')

    def _add_channel(self, channel: str, events: list[str], buffers: Buffers,
                     *options: str) -> None:
        self.client.run('enable-channel', '--userspace', '--session', self.name, '--buffers-uid',
                        '--discard', f'--subbuf-size={buffers.size}',
                        f'--num-subbuf={buffers.count}', *options, channel)
        names = ','.join(event if ':' in event else f'hakmem:{event}' for event in events)
        self.client.run('enable-event', '--userspace', '--session', self.name,
                        '--channel', channel, names)

    def start(self) -> None:
        contexts = [word for context in CONTEXTS for word in ('--type', context)]
        self.client.run('add-context', '--userspace', '--session', self.name, *contexts)
        self.client.run('start', self.name)

    def stop(self) -> None:
        """Returns when everything recorded so far is on the disk."""
        self.client.run('stop', self.name, seconds=FLUSH_SECONDS)

    def losses(self) -> Losses:
        listing = self.client.run('--mi', 'xml', 'list', self.name)
        channel = 'sessions/session/domains/domain/channels/channel/attributes/'
        return Losses(events=_sum(listing, channel + 'discarded_events'),
                      packets=_sum(listing, channel + 'lost_packets'))

    def destroy(self) -> None:
        # Half a second of this is LTTng's last rotation, which it looks after at that pace.
        self.client.run('destroy', self.name, seconds=FLUSH_SECONDS)


def create(client: Client, name: str, output: Path) -> Session:
    client.run('create', name, f'--output={output}')
    # Without a timer the description of the events would reach the disk only at the end, and
    # without it nothing that a killed daemon had written could be read.
    client.run('enable-channel', '--userspace', '--session', name, '--buffers-uid',
               f'--switch-timer={SWITCH_MICROSECONDS}', 'metadata')
    return Session(client, name)


def unique_name(comm: str) -> str:
    """Ours among the sessions of a daemon that others may use too."""
    safe = re.sub(r'[^A-Za-z0-9_.-]', '_', comm)[:64]
    return f'hak-{safe}-{os.getpid()}-{secrets.token_hex(3)}'


def environment(home: Optional[Path] = None) -> dict[str, str]:
    """For LTTng's own programs: what is preloaded into the user's program is not for them."""
    env = {key: value for key, value in os.environ.items() if key != 'LD_PRELOAD'}
    if home is not None:
        env['LTTNG_HOME'] = str(home)
    return env


def _complaint(stderr: str, code: int) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith('Error: ')] or lines
    return errors[0].removeprefix('Error: ') if errors else f'exit code {code}'


def elements(document: str, path: str) -> list:
    """Of the tool's machine interface, below <output>."""
    from xml.etree import ElementTree

    steps = '/'.join(f'{{*}}{step}' for step in path.split('/'))
    try:
        return ElementTree.fromstring(well_formed(document)).findall(f'{{*}}output/{steps}')
    except ElementTree.ParseError as error:
        raise HakError(f'the lttng tool answered nonsense: {error}') from None


def well_formed(document: str) -> str:
    """With U+FFFD for what XML forbids: the tool writes the names of processes as they are, and
    any user may call a process as he likes."""
    document = _NO_XML.sub('\ufffd', document)
    return _REFERENCE.sub(lambda found: '\ufffd' if _NO_XML.match(_referred(found[1]))
                          else found[0], document)


def _referred(digits: str) -> str:
    """The character of &#…; what none has is as bad as NUL."""
    code = int(digits[1:], 16) if digits[0] == 'x' else int(digits)
    return chr(code) if code <= sys.maxunicode else '\0'


def _sum(document: str, path: str) -> int:
    return sum(int(element.text or 0) for element in elements(document, path))
