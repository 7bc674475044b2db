"""Runs hak, and ends it by SIGKILL at its moment N; beyond the last, tells on stderr how many.

    killed_at.py N COMMAND…

A moment: before a file is made, renamed or removed, before and after a process is started, between
the steps of what tells it something. Those that come again from the same place count once, and
what only asks the session daemon is none.
"""

import importlib
import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHANGES = {'os.mkdir', 'os.rename', 'os.remove', 'os.rmdir', 'os.link', 'os.symlink',
           'os.kill', 'subprocess.Popen', 'fcntl.flock'}
# Writing into a pipe is no audit event, nor that a process has been started.
STEPS = {'start_noted': 'line', '_execute_child': 'return'}
# The folder from which the session daemon is asked.
SCRATCH = {'visited', '_new_folder', '_users_client'}

at = int(sys.argv[1])
moments: set[tuple] = set()


def moment(frame) -> None:
    place = []
    while frame is not None:
        place.append((frame.f_code.co_name, frame.f_lineno))
        if frame.f_code.co_name in SCRATCH:
            return
        frame = frame.f_back
    moments.add(tuple(place))
    if len(moments) == at:
        os.kill(os.getpid(), signal.SIGKILL)


def audited(event: str, args: tuple) -> None:
    if event == 'open':
        made = isinstance(args[2], int) and args[2] & os.O_CREAT and isinstance(args[0], str)
    else:
        made = event in CHANGES
    # By our own, hak is killed.
    if made and not (event == 'os.kill' and args[0] == os.getpid()):
        moment(sys._getframe(1))


def traced(frame, event, _):
    wanted = STEPS.get(frame.f_code.co_name)
    if wanted == event:
        moment(frame)
    return traced if wanted else None


sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / 'analysis'))
from hak import cli  # noqa: E402

importlib.import_module('hak.flight')   # later it would be a moment
sys.addaudithook(audited)
sys.settrace(traced)
code = cli.main(sys.argv[2:])
sys.settrace(None)
print(len(moments), file=sys.stderr)
sys.exit(code)
