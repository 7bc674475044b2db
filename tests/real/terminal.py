"""A terminal that a case types into: a tmux server of the case's own, preloaded as all in it is."""

import re

from harness import Box, Running, Trouble

SOCKET = "tmux.sock"


class Terminal:
    """Use it in a with statement: the server, and with it what runs in its panes, ends there."""

    def __init__(self, box: Box):
        self.box = box
        self.server: Running | None = None

    def __enter__(self) -> "Terminal":
        env = {"SHELL": "/bin/bash", "TERM": "xterm"}
        self.server = self.box.start(["tmux", "-S", SOCKET, "-f", "/dev/null", "-D"], env=env)
        self.poll(lambda: (self.box.folder / SOCKET).exists(), "tmux does not listen")
        self.tmux("set-option", "-g", "history-limit", "20000")
        return self

    def __exit__(self, *_) -> None:
        try:
            self.tmux("kill-server")
            self.server.wait()
        finally:
            self.server.kill()

    def poll(self, done, trouble: str) -> None:
        self.server.until(done, trouble)

    def tmux(self, *words: str) -> str:
        out = self.box.run("tmux", "-S", SOCKET, *words, compare=False)
        return out.decode(errors="replace")

    def open(self, *command: str) -> None:
        self.tmux("new-session", "-d", "-x", "100", "-y", "30", *command)

    def type(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def line(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)
        self.type("Enter")

    def screen(self, *how: str) -> str:
        return self.tmux("capture-pane", "-p", *how)

    def see(self, pattern: str, *how: str) -> None:
        """Waits until the pattern is on the screen."""
        last = [""]

        def there() -> bool:
            last[0] = self.screen(*how)
            return bool(re.search(pattern, last[0], re.MULTILINE))

        try:
            self.poll(there, f"'{pattern}' is not on the screen")
        except Trouble as t:
            raise Trouble(f"{t}:\n" + last[0].rstrip()) from None
