"""Programs at a limit: of the address space by ulimit, of memory by a cgroup."""

import os
import signal
import time
from pathlib import Path

from harness import PROGRAMS, ROOT, Box, Output, Skip, Trouble, case, until


@case("ulimit", "bash", "/usr/bin/python3", "awk", "sort")
def ulimit(box: Box) -> None:
    """Programs that meet the limit and say so, and one that goes on behind it."""
    box.shell(f"ulimit -v 300000; exec /usr/bin/python3 {PROGRAMS}/memory_ends.py",
              env={"PYTHONMALLOC": "malloc"}, loud=True)
    # More than may be in memory: sort takes what it gets, and files for the rest.
    box.shell("ulimit -v 40000; seq 500000 | sort -k1.3 | md5sum", loud=True)
    box.shell("ulimit -v 60000; awk 'BEGIN { for (i = 0; ; i++) a[i] = sprintf(\"%100d\", i) }' "
              "|| echo awk ended with $?", loud=True)


# How much each needs without the allocator, and 1.4 MiB for the library itself.
NEAR = {
    "cat /etc/passwd": {"v": (4600, 5000, 5500, 6000, 8000, 12000), "d": (1900, 3000, 5000, 9000)},
    "sort /etc/passwd": {"v": (4600, 5500, 6000, 7000, 9000), "d": (1900, 3000, 5000, 9000)},
    "awk 'BEGIN { for (i = 0; i < 5000; i++) a[i] = i; print i }'":
        {"v": (8800, 10000, 12000, 16000, 22000), "d": (3500, 5000, 8000, 16000)},
    "perl -e 'print join(q(,), 1 .. 2000)'":
        {"v": (10000, 12000, 16000, 22000), "d": (2500, 3000, 4000, 6000, 12000)},
    "/usr/bin/python3 -c 'print(len([str(i) for i in range(200000)]))'":
        {"v": (34000, 38000, 42000, 46000), "d": (26000, 30000, 34000, 38000)},
}


@case("near-limits", "bash", "awk", "perl", "sort", "/usr/bin/python3")
def near_limits(box: Box) -> None:
    """Programs that just fit do so with the library as well, and say nothing of it."""
    for program, limits in NEAR.items():
        for kind, sizes in limits.items():
            for kilobytes in sizes:
                box.shell(f"ulimit -{kind} {kilobytes}; exec {program}")


def memory_hierarchy() -> tuple[Path, str]:
    """Our own group's directory, and the name of the file that limits memory."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for top, name in ((Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
                          (Path("/sys/fs/cgroup"), "memory.max")):
            if "memory" in controllers.split(",") or not controllers:
                here = top / path.lstrip("/")
                if (here / name).exists():
                    return here, name
    raise Skip("no cgroup with a memory controller")


class Group:
    """A memory cgroup below our own, for as long as the with statement lasts."""

    def __init__(self, limit_mb: int):
        here, name = memory_hierarchy()
        self.folder = here / f"hakmem-real-{os.getpid()}-{time.monotonic_ns()}"
        try:
            self.folder.mkdir()
            (self.folder / name).write_text(str(limit_mb << 20))
        except OSError as e:
            if self.folder.exists():
                self.folder.rmdir()
            raise Skip(f"no memory cgroup: {e.strerror}") from None

    def __enter__(self) -> "Group":
        return self

    def __exit__(self, *_) -> None:
        if not until(self.removed):
            raise Trouble(f"{self.folder}: not empty")

    def removed(self) -> bool:
        try:
            self.folder.rmdir()
        except OSError:
            return False
        return True

    def around(self, program: Path, *words: str) -> list[str]:
        enter = f"echo $$ >{self.folder}/cgroup.procs && exec \"$@\""
        return ["/bin/bash", "-c", enter, "bash", str(program), *words]


@case("memory-cgroup", "bash")
def memory_cgroup(box: Box) -> None:
    """Phases that fit one by one, but not together; then a program that needs too much is killed,
    as without the allocator, and does not hang."""
    built = ROOT / "build" / "real"
    with Group(160) as group:
        box.run(*group.around(built / "phases_use_the_same_memory"))
    with Group(100) as group:
        killed = box.start(group.around(built / "memory_goes_back"))
        killed.wait(-signal.SIGKILL)
        box.outputs.append(Output("end of a program that needs too much", b"killed"))
