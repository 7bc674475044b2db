"""Runs a case twice, without and with the allocator preloaded, and compares what came out."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAMS = HERE / "programs"
# Seconds after which what has not come about hangs. Slow is another thing: on a machine that does
# nothing else the longest takes a tenth of it.
HANG = 300


class Trouble(Exception):
    """What a case found wrong, in a line or a few."""


class Skip(Exception):
    """Why a case cannot run here."""


@dataclass
class Output:
    """One thing that must be the same in both runs."""
    what: str
    data: bytes


@dataclass
class Box:
    """A directory of its own, an environment, and the record of what the case did there."""
    folder: Path
    preload: str | None
    extra: dict[str, str]
    outputs: list[Output] = field(default_factory=list)
    errors: list[tuple[str, list[bytes]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    count: int = 0

    def environment(self, preloaded: bool, more: dict[str, str] | None) -> dict[str, str]:
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C",
               "TZ": "UTC", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        env.update(more or {})
        if preloaded:
            env.update(self.extra)
            if self.preload:
                env["LD_PRELOAD"] = self.preload
        return env

    def start(self, argv: list[str], preloaded: bool = True, stdin: bytes | None = None,
              env: dict[str, str] | None = None) -> "Running":
        """Output goes to files: a grandchild that keeps a pipe open cannot block us."""
        self.count += 1
        base = self.folder.parent / f"{self.folder.name}.{self.count}"
        given = Path(f"{base}.in")
        given.write_bytes(stdin or b"")
        with given.open("rb") as i, open(f"{base}.out", "wb") as o, open(f"{base}.err", "wb") as e:
            process = subprocess.Popen(
                argv, cwd=self.folder, env=self.environment(preloaded, env), stdin=i, stdout=o,
                stderr=e, start_new_session=True)
        return Running(argv, process, Path(f"{base}.out"), Path(f"{base}.err"))

    def run(self, *argv: object, stdin: bytes | None = None, compare: bool = True,
            env: dict[str, str] | None = None, status: int = 0, loud: bool = False) -> bytes:
        """Runs a program preloaded; its output is compared unless `compare` is false. What it says
        on stderr must have been said without, unless it is `loud`: times, progress."""
        words = [str(a) for a in argv]
        begin = time.monotonic()
        running = self.start(words, stdin=stdin, env=env)
        out, err = running.wait(status)
        self.seconds += time.monotonic() - begin
        if not loud:
            self.errors.append((show(words), err.splitlines()))
        kept = []
        for line in out.splitlines(keepends=True):
            if line.startswith(b"note: "):
                self.notes.append(line[6:].decode(errors="replace").strip())
            else:
                kept.append(line)
        if compare:
            self.outputs.append(Output(f"output of {show(words)}", b"".join(kept)))
        return out

    def shell(self, script: str, **how) -> bytes:
        return self.run("/bin/bash", "-c", "set -e -o pipefail\n" + script, **how)

    def prepare(self, *argv: object, stdin: bytes | None = None) -> bytes:
        """Runs a program that only sets the stage: never preloaded, not timed."""
        out, _ = self.start([str(a) for a in argv], preloaded=False, stdin=stdin).wait()
        return out

    def keep(self, name: str) -> None:
        """The file's bytes must be the same in both runs."""
        self.outputs.append(Output(f"file {name}", (self.folder / name).read_bytes()))

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Running:
    argv: list[str]
    process: subprocess.Popen
    out: Path
    err: Path

    def until(self, ready: Callable[[], bool], trouble: str) -> None:
        """Returns when it is so; the program has to live till then."""
        def ready_or_ended() -> bool:
            return self.process.poll() is not None or ready()

        if not until(ready_or_ended):
            raise Trouble(f"{trouble} after {HANG} s" + self.last_words())
        if self.process.returncode is not None:
            raise Trouble(f"{show(self.argv)} ended" + self.last_words())

    def wait(self, status: int = 0) -> tuple[bytes, bytes]:
        try:
            self.process.wait(timeout=HANG)
        except subprocess.TimeoutExpired:
            raise Trouble(f"{show(self.argv)}: hangs, not done after {HANG} s"
                          + self.last_words()) from None
        finally:
            self.kill()
        code = self.process.returncode
        if code != status:
            raise Trouble(f"{show(self.argv)}: {name_status(code)}" + self.last_words())
        return self.out.read_bytes(), self.err.read_bytes()

    def kill(self) -> None:
        """Nothing that a case started may outlive it."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def last_words(self) -> str:
        text = self.err.read_bytes()[-600:] or self.out.read_bytes()[-600:]
        lines = [line for line in text.decode(errors="replace").splitlines() if line.strip()]
        return "".join(f"\n      {line}" for line in lines[-5:])


def until(condition: Callable[[], bool]) -> bool:
    """Waits for what must come about; False if it hangs."""
    end = time.monotonic() + HANG
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.03)
    return True


def name_status(code: int) -> str:
    number = -code if code < 0 else code - 128 if code > 128 else 0
    if number:
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return f"killed by {name}" if code < 0 else f"exit status {code} ({name})"
    return f"exit status {code}"


def show(words: list[str]) -> str:
    text = " ".join(w.replace(str(ROOT) + "/", "") for w in words).replace("\n", "; ")
    return text if len(text) <= 70 else text[:67] + "…"


@dataclass(frozen=True)
class Case:
    name: str
    run: Callable[[Box], None]
    needs: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        return [n for n in self.needs if not shutil.which(n, path="/usr/local/bin:/usr/bin:/bin")]


CASES: list[Case] = []


def case(name: str, *needs: str):
    """Registers a function as a case; `needs` are the programs that it runs."""
    def register(function: Callable[[Box], None]) -> Callable[[Box], None]:
        CASES.append(Case(name, function, needs))
        return function
    return register


@dataclass
class Verdict:
    case: Case
    status: str                 # ok, FAIL or skip
    text: str
    notes: list[str] = field(default_factory=list)


def judge(entry: Case, library: str, extra: dict[str, str], scratch: Path) -> Verdict:
    missing = entry.missing()
    if missing:
        return Verdict(entry, "skip", f"not installed: {', '.join(missing)}")
    plain = Box(scratch / "without" / "box", None, {})
    loaded = Box(scratch / "preload" / "box", library, extra)
    try:
        for box, label in ((plain, "without the allocator: "), (loaded, "")):
            box.folder.mkdir(parents=True)
            try:
                entry.run(box)
            except Trouble as t:
                raise Trouble(label + str(t)) from None
        compare(plain, loaded)
    except Skip as s:
        return Verdict(entry, "skip", str(s))
    except (Trouble, OSError) as t:
        return Verdict(entry, "FAIL", str(t))
    ratio = loaded.seconds / plain.seconds if plain.seconds else 1.0
    notes = list(loaded.notes)
    if plain.notes:
        notes.append("without: " + "; ".join(plain.notes))
    return Verdict(entry, "ok", f"{loaded.seconds:.1f} s, ×{ratio:.2f}", notes)


def compare(plain: Box, loaded: Box) -> None:
    for a, b in zip(plain.outputs, loaded.outputs):
        if a.what != b.what:
            raise Trouble(f"did '{b.what}' where the run without did '{a.what}'")
        if a.data != b.data:
            raise Trouble(f"{a.what} differs: {first_difference(a.data, b.data)}")
    if len(plain.outputs) != len(loaded.outputs):
        raise Trouble(f"{len(loaded.outputs)} outputs, {len(plain.outputs)} without")
    for (_, expected), (what, lines) in zip(plain.errors, loaded.errors):
        known = set(expected)
        for line in lines:
            if line not in known:
                raise Trouble(f"{what} says on stderr: {line.decode(errors='replace')}")


def first_difference(a: bytes, b: bytes) -> str:
    if b"\0" in a[:4096] or b"\0" in b[:4096]:
        at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        return f"byte {at}, {len(b)} bytes instead of {len(a)}"
    left, right = a.splitlines(), b.splitlines()
    for i in range(max(len(left), len(right))):
        x = left[i] if i < len(left) else b"(nothing)"
        y = right[i] if i < len(right) else b"(nothing)"
        if x != y:
            return (f"line {i + 1}: '{y.decode(errors='replace')[:200]}' instead of "
                    f"'{x.decode(errors='replace')[:200]}'")
    return "only in line ends"
