"""Snapshots as they come, from session after session.

A session that ends, or a daemon that dies, ends what one reader can tell. The feed says so in
its state and tries again, until there is another session to be read.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Optional

from hak import lttng, paths
from hak.errors import HakError
from hak.live import relay

DEFAULT_RELAY = 'net://127.0.0.1'
# Between two attempts to find a session again.
RETRY_SECONDS = 2.0


@dataclass
class Feed:
    """`wanted`: name or URL of a live session that others have made; empty: one of our own."""
    wanted: str
    interval: float
    tier: str
    state: str = 'starting'              # or: live, ended
    why: str = ''                        # it is not live
    snapshot: Optional[dict] = None      # the last one
    received: float = 0.0                # when that was, by our clock
    _reader: Optional[subprocess.Popen] = None
    _own: Optional[relay.OwnSession] = None
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _partial: bytes = b''
    _retry_at: float = 0.0

    def open(self) -> None:
        """Attaches for the first time; what is wrong now is the user's to know at once."""
        try:
            self._attach()
        except BaseException:
            self.close()
            raise

    def fileno(self) -> Optional[int]:
        """To wait for; None while there is no reader."""
        return None if self._reader is None else self._reader.stdout.fileno()

    def wait_at_most(self) -> float:
        return max(0.0, self._retry_at - time.monotonic()) if self._reader is None else 1.0

    def advance(self) -> bool:
        """Takes what has come, without waiting. True if there is a new snapshot or state."""
        if self._reader is None:
            return time.monotonic() >= self._retry_at and self._again()
        try:
            data = os.read(self._reader.stdout.fileno(), 1 << 16)
        except BlockingIOError:
            return False
        if not data:
            self._ended(self.why or 'the reader of the session has died')
            return True
        *lines, self._partial = (self._partial + data).split(b'\n')
        try:
            return any([self._heard(json.loads(line)) for line in lines])
        except HakError as error:
            self._ended(error.line())
            return True

    def close(self) -> None:
        self._detach()

    def _heard(self, said: dict) -> bool:
        if 'attached' in said:
            if self._own is not None:
                self._own.start()
            self.state, self.why = 'live', ''
        elif 'ended' in said:
            self.why = said['ended']
            return False     # its end follows
        else:
            self.snapshot, self.received = said, time.time()
        return True

    def _again(self) -> bool:
        try:
            self._attach()
        except HakError as error:
            self._ended(error.line())
        return True

    def _attach(self) -> None:
        if self.wanted:
            url = resolve(self.wanted)
        else:
            self._own = self._stack.enter_context(relay.own_session(self.tier))
            url = self._own.url
        self._partial = b''
        self._reader = subprocess.Popen(
            [sys.executable, '-m', 'hak.live.reader', url, str(self.interval)],
            env={**lttng.environment(), 'PYTHONPATH': str(paths.ROOT / 'analysis')},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        os.set_blocking(self._reader.stdout.fileno(), False)

    def _ended(self, why: str) -> None:
        self._detach()
        self.state, self.why = 'ended', why
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def _detach(self) -> None:
        if self._reader is not None:
            self._reader.stdout.close()
            self._reader.kill()
            self._reader.wait()
            self._reader = None
        self._own = None
        self._stack.close()


def resolve(wanted: str) -> str:
    """The URL of a live session, given as URL or as a name that the relay daemon here knows."""
    import bt2

    from hak.live import reader

    match = re.fullmatch(r'(net[46]?://[^/]+)(/host/[^/]+/[^/]+)?', wanted)
    server, path = match.groups() if match else (DEFAULT_RELAY, None)
    try:
        known = reader.sessions(server)
    except bt2._Error:
        raise HakError(f'no relay daemon answers at {server}',
                       'start lttng-relayd, then `lttng create NAME --live`') from None
    for each in known:
        if each['url'].endswith(path) if path else each['name'] == wanted:
            return each['url']
    names = ', '.join(sorted(each['url'] for each in known)) or 'it has none'
    raise HakError(f'{wanted} is no live session of {server}', f'there are: {names}')
