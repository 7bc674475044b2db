"""What runs flight here, and for the other suites that do, is flying.py's."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flying import CAPPED, Flight, events, flight, in_shm, kill, settled  # noqa: E402
from running import ROOT, mark, user_hak, users_daemon, until  # noqa: E402

__all__ = ['CAPPED', 'ROOT', 'Flight', 'events', 'flight', 'in_shm', 'kill', 'mark', 'settled',
           'until', 'user_hak', 'users_daemon']
