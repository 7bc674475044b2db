"""Compilers: large short-lived heaps, compared by the bytes of what they make."""

from harness import PROGRAMS, Box, case


@case("gcc", "gcc", "/usr/bin/python3")
def gcc(box: Box) -> None:
    (box.folder / "large.c").write_bytes(
        box.prepare("/usr/bin/python3", PROGRAMS / "generate_c.py", 3000))
    box.run("gcc", "-O2", "-g0", "-Wall", "-c", "large.c", "-o", "large.o")
    box.keep("large.o")
    box.run("gcc", "-Os", "-g3", "-flto", "-fdebug-prefix-map=" + str(box.folder) + "=.",
            "large.c", "-o", "large")
    box.run("./large")


@case("g++", "g++")
def gxx(box: Box) -> None:
    """The compiler first, then what it made: operator new, exceptions, threads."""
    (box.folder / "stl.cpp").write_bytes((PROGRAMS / "stl.cpp").read_bytes())
    box.run("g++", "-std=c++17", "-O2", "-pthread", "-c", "stl.cpp", "-o", "stl.o")
    box.keep("stl.o")
    box.run("g++", "-pthread", "stl.o", "-o", "stl")
    box.run("./stl")


def modern(box: Box, compiler: str, level: str) -> None:
    (box.folder / "modern.cpp").write_bytes((PROGRAMS / "modern.cpp").read_bytes())
    box.run(compiler, "-std=c++17", level, "-pthread", "-c", "modern.cpp", "-o", "modern.o")
    box.keep("modern.o")
    box.run(compiler, "-pthread", "modern.o", "-o", "modern", "-ldl")
    box.run("./modern")


@case("g++-modern", "g++")
def gxx_modern(box: Box) -> None:
    """Templates and heavy headers; what comes out looks whose blocks it is given."""
    modern(box, "g++", "-O1")


@case("clang++-modern", "clang++")
def clangxx_modern(box: Box) -> None:
    modern(box, "clang++", "-O1")
