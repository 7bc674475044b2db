"""Signals that end a view reach it only while it waits.

Anywhere else they would interrupt the setting up and the tidying up of sessions and daemons.
"""

import contextlib
import select
import signal
import sys
from collections.abc import Iterator

ENDING = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT}


@contextlib.contextmanager
def held() -> Iterator[None]:
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:   # as nohup wants it
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    yield
    # Not let through again: there is nothing left to end.


def wait(handles: list[int], seconds: float) -> list[int]:
    """Those handles that can be read; SystemExit or KeyboardInterrupt if a signal came."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        return select.select(handles, [], [], seconds)[0]
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
