"""Misuses of the heap: each is reported in a line and the program goes on, or ends where it is
asked to; and every form of C++'s operators arrives."""

import re
import signal
from pathlib import Path

from harness import CASES, ROOT, Box, Case, Trouble, case

PROGRAM = ROOT / "build" / "real" / "misuse"
GOES_ON = r".*; ignored, the program goes on"
FREED = r"\[DOUBLE_FREE\] ptr=0x[0-9a-f]+ cls=\d+ ss=0x[0-9a-f]+ slab=\d+ count=0: free\(\) of a " \
        r"(\d+)-byte block that is free already: expected a block in use"
ABORTED = r"; the program is aborted \(HAKMEM_ABORT_ON_ERROR=1\)"
RESET = r"\[TLS_SLL_HDR_RESET\] cls=(\d+) base=0x[0-9a-f]+ got=0x[0-9a-f]{2} expect=0xa[0-9a-f] " \
        r"count=0 ss=0x[0-9a-f]+ slab=\d+ .*"
FOREIGN = r"\[INVALID_FREE\] ptr=0x[0-9a-f]+ count=0: free\(\) of an address "

# What the first line says; None: nothing is said.
LINES = {
    "twice": FREED + GOES_ON,
    "twice_smallest": FREED + GOES_ON,
    "twice_delayed": FREED + GOES_ON,
    "twice_by_two_threads": FREED + GOES_ON,
    "twice_written_to_in_between": RESET + "or it is in use: freed twice, and written to in between; "
                                   "it and what its list held behind it are given up, "
                                   "the program goes on",
    "realloc_after_free": FREED + GOES_ON,
    "interior": r"\[INVALID_FREE\] ptr=0x[0-9a-f]+ cls=5 .*16 bytes into the 256-byte block"
                + GOES_ON,
    "stack": FOREIGN + "on a stack" + GOES_ON,
    "stack_of_a_thread": FOREIGN + "on a stack" + GOES_ON,
    "variable": FOREIGN + "in the data of a program or library" + GOES_ON,
    "literal": FOREIGN + "in the data of a program or library" + GOES_ON,
    "unmapped": FOREIGN + "where no memory is" + GOES_ON,
    "write_after_free": RESET + "its first 8 bytes are intact.*; repaired, the program goes on",
    "overflow": RESET + r"the block before it, 0x[0-9a-f]+, is in use: a write past its end is as "
                r"likely.*; it and what its list held behind it are given up, the program goes on",
    "anothers": None,
}


# The flavour without lines says one before an end that is asked for, of these.
LAST = r"hakmem: {}, 0x[0-9a-f]+: the program is aborted \(HAKMEM_ABORT_ON_ERROR=1\)"
KINDS = {FREED: "double free", RESET: "write to a freed block",
         r"\[INVALID_FREE\]": "free of what is no block"}


def expected_line(box: Box, name: str, aborts: bool) -> str | None:
    line = LINES[name]
    if line is None:
        return None
    if Path(box.preload).parent.name == "release":
        kind = next(text for begin, text in KINDS.items() if line.startswith(begin))
        return LAST.format(kind) if aborts else None
    return re.sub("; [^;]*$", lambda _: ABORTED, line) if aborts else line


def check(box: Box, name: str, aborts: bool) -> None:
    """One run, preloaded: its end, its output and the first line on stderr."""
    ends = aborts and LINES[name] is not None
    env = {"HAKMEM_ABORT_ON_ERROR": "1"} if aborts else {}
    running = box.start([str(PROGRAM), name], env=env)
    out, err = running.wait(-signal.SIGABRT if ends else 0)
    lines = err.decode().splitlines()
    expected = expected_line(box, name, aborts)
    if out != (b"" if ends else b"went on\n"):
        raise Trouble(f"{name}: says {out!r}")
    if expected is None:
        if lines:
            raise Trouble(f"{name}: says on stderr: {lines[0]}")
        return
    if not lines or not re.fullmatch(expected, lines[0]):
        raise Trouble(f"{name}: says on stderr: {lines[:1]} instead of {expected}")
    if aborts and len(lines) > 1:
        raise Trouble(f"{name}: says more after its last line: {lines[1]}")


for case_name in LINES:
    def run(box: Box, name: str = case_name) -> None:
        # Without the allocator the C library ends most of these programs.
        if box.preload:
            # What the kernel lays beside what is another's differs from run to run.
            for _ in range(1 if LINES[name] else 40):
                check(box, name, aborts=False)
            check(box, name, aborts=True)

    CASES.append(Case(f"misuse-{case_name.replace('_', '-')}", run))


@case("c++-operators")
def operators(box: Box) -> None:
    box.run(ROOT / "build" / "real" / "operators")
