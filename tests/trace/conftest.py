"""What runs hak here, and for the other suites that do, is running.py's."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from running import (HAK, LIBRARY, ROOT, events, hak, mark, named, session_daemons,  # noqa: E402
                     until, user_hak, users_daemon)

__all__ = ['HAK', 'LIBRARY', 'ROOT', 'events', 'hak', 'mark', 'named', 'session_daemons', 'until',
           'user_hak', 'users_daemon']
