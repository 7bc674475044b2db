"""hak top on a terminal: draws what top_layout says, and hears the keys."""

import contextlib
import curses
import os
import signal
import sys
from collections.abc import Iterator
from typing import Optional

from hak import ui
from hak.errors import HakError
from hak.live import signals
from hak.live.feed import Feed
from hak.live.stream import told
from hak.reporters import top_layout
from hak.reporters.top_layout import View


def run(feed: Feed, pid: Optional[int], count: Optional[int]) -> None:
    _know_the_terminal()
    with signals.held(), contextlib.closing(feed), contextlib.suppress(KeyboardInterrupt):
        feed.open()
        with _resizes() as resized, _terminal() as window:
            _Screen(window, feed, pid).show(resized, count)


def _know_the_terminal() -> None:
    try:
        curses.setupterm()
    except curses.error:
        raise HakError(f'the terminal TERM={os.environ.get("TERM", "")!r} is not known here',
                       'try TERM=xterm, or --json') from None


class _Screen:
    def __init__(self, window, feed: Feed, pid: Optional[int]):
        self.window = window
        self.feed = feed
        self.pid = pid
        self.view = View()
        self.told: Optional[dict] = None     # what is shown: not the last one while paused
        self.styles = _styles()

    def show(self, resized: int, count: Optional[int]) -> None:
        seen, received = 0, 0.0
        while True:
            self._draw()
            handles = [handle for handle in (0, resized, self.feed.fileno()) if handle is not None]
            ready = signals.wait(handles, self.feed.wait_at_most())
            if resized in ready:
                os.read(resized, 4096)
                curses.resizeterm(*reversed(os.get_terminal_size(sys.stdout.fileno())))
                self.window.clear()
            if 0 in ready and not self._keys():
                return
            self.feed.advance()
            if self.feed.received != received:
                seen, received = seen + 1, self.feed.received
            if self.feed.snapshot is not None and not self.view.paused:
                self.told = told(self.feed, self.pid)
            if count is not None and seen >= count:
                return

    def _keys(self) -> bool:
        """False: to quit."""
        while (key := self.window.getch()) != -1:
            if key in (ord('q'), ord('Q')):
                return False
            self._key(key)
        return True

    def _key(self, key: int) -> None:
        view = self.view
        if key in (ord('h'), ord('?')):
            view.help = not view.help
        elif key == 27:
            view.help = False
        elif key == ord(' '):
            view.paused = not view.paused
        elif key == ord('s'):
            view.sort += 1
        elif key == ord('c'):
            view.class_sort += 1
        elif key in (curses.KEY_UP, ord('k')):
            self._pick(-1)
        elif key in (curses.KEY_DOWN, ord('j')):
            self._pick(1)

    def _pick(self, step: int) -> None:
        if self.told and self.told['processes']:
            processes = top_layout.sorted_processes(self.told, self.view)
            at = top_layout.picked(processes, self.view) + step
            self.view.pid = processes[min(max(at, 0), len(processes) - 1)]['pid']

    def _draw(self) -> None:
        height, width = self.window.getmaxyx()
        lines = top_layout.screen(self.told, self.feed.state, self.feed.why, self.view, width,
                                  height)
        self.window.erase()
        for y, line in enumerate(lines):
            x = 0
            for text, style in line:
                # The last cell of the last line cannot be written to: it would scroll.
                with contextlib.suppress(curses.error):
                    self.window.addstr(y, x, text, self.styles.get(style, 0))
                x += len(text)
        self.window.refresh()


def _styles() -> dict:
    styles = {'title': curses.A_REVERSE | curses.A_BOLD, 'head': curses.A_BOLD,
              'sort': curses.A_BOLD | curses.A_UNDERLINE, 'pick': curses.A_REVERSE,
              'dim': curses.A_DIM, 'bad': curses.A_BOLD, 'warn': curses.A_BOLD, 'good': 0}
    if curses.has_colors() and ui.colours_wanted():
        curses.start_color()
        curses.use_default_colors()
        for number, (style, colour) in enumerate((('bad', curses.COLOR_RED),
                                                  ('warn', curses.COLOR_YELLOW),
                                                  ('good', curses.COLOR_GREEN)), 1):
            curses.init_pair(number, colour, -1)
            styles[style] |= curses.color_pair(number)
    return styles


@contextlib.contextmanager
def _terminal() -> Iterator:
    window = curses.initscr()
    try:
        curses.noecho()
        curses.cbreak()
        window.keypad(True)
        window.nodelay(True)
        with contextlib.suppress(curses.error):
            curses.curs_set(0)
        yield window
    finally:
        curses.endwin()


@contextlib.contextmanager
def _resizes() -> Iterator[int]:
    """A handle that is readable when the terminal has got another size."""
    receiver, sender = os.pipe()
    for handle in (receiver, sender):
        os.set_blocking(handle, False)
    before = signal.signal(signal.SIGWINCH, lambda *_: _wake(sender))
    try:
        yield receiver
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(receiver)
        os.close(sender)


def _wake(handle: int) -> None:
    with contextlib.suppress(BlockingIOError):
        os.write(handle, b'w')
