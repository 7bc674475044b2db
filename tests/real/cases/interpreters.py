"""Interpreters: many small objects, threads, forks."""

from harness import PROGRAMS, Box, case


@case("python", "/usr/bin/python3")
def python(box: Box) -> None:
    box.run("/usr/bin/python3", PROGRAMS / "workout.py")


@case("python-malloc", "/usr/bin/python3")
def python_malloc(box: Box) -> None:
    """Without Python's own small-object allocator every object is a malloc."""
    box.run("/usr/bin/python3", PROGRAMS / "workout.py", env={"PYTHONMALLOC": "malloc"})


@case("perl", "perl")
def perl(box: Box) -> None:
    box.run("perl", PROGRAMS / "workout.pl", env={"PERL_HASH_SEED": "0"})


@case("node", "node")
def node(box: Box) -> None:
    """V8 keeps its own heap; node itself, its threads and zlib call malloc."""
    box.run("node", PROGRAMS / "workout.js")


@case("awk", "awk")
def awk(box: Box) -> None:
    box.run("awk", "-f", PROGRAMS / "workout.awk")


@case("bash-forks", "bash")
def bash_forks(box: Box) -> None:
    box.run("/bin/bash", PROGRAMS / "forks.sh")
