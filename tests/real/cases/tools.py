"""The tools a shell script runs: pipelines, sorts, archives."""

from harness import PROGRAMS, Box, case


def text(box: Box, name: str, lines: int) -> None:
    script = "BEGIN { s = 42; for (i = 0; i < %d; i++) { s = (s * 16807) %% 2147483647; " \
             "printf \"%%d word%%d %%s\\n\", s, s %% 5003, substr(\"%s\", s %% 20 + 1, s %% 30) } }"
    (box.folder / name).write_bytes(
        box.prepare("awk", script % (lines, "abcdefghijklmnopqrstuvwxyz" * 2)))


@case("pipeline", "find", "sort", "uniq", "awk", "sed", "tr", "cut", "join", "xargs", "grep")
def pipeline(box: Box) -> None:
    text(box, "words", 50_000)
    box.run("/bin/bash", PROGRAMS / "pipeline.sh")


@case("sort", "sort", "awk")
def sort(box: Box) -> None:
    text(box, "lines", 1_000_000)
    box.run("sort", "--parallel=2", "-S", "64M", "-o", "sorted", "lines")
    box.keep("sorted")
    box.run("sort", "--parallel=2", "-S", "16M", "-k2,2", "-k1,1nr", "-s", "-o", "keyed", "lines")
    box.keep("keyed")


@case("xz", "xz", "awk")
def xz(box: Box) -> None:
    text(box, "data", 300_000)
    box.run("xz", "-k", "-T2", "-3", "--block-size=1MiB", "data")
    box.keep("data.xz")
    box.shell("xz -dc -T2 data.xz > again && cmp data again && xz -t data.xz && echo same")


@case("tar-gzip", "tar", "gzip", "awk")
def tar_gzip(box: Box) -> None:
    text(box, "data", 50_000)
    box.shell("mkdir tree && cd tree && split -l 500 -a 4 ../data part. && "
              "for i in 1 2 3 4 5 6; do mkdir d$i; cp part.aa* d$i; done")
    box.shell("tar --sort=name --mtime=@0 --owner=0 --group=0 -cf - tree | gzip -n > all.tar.gz")
    box.keep("all.tar.gz")
    box.shell("mkdir out && tar -C out -xzf all.tar.gz && diff -r tree out/tree && echo same && "
              "tar -tzf all.tar.gz | wc -l")


@case("stress-ng", "stress-ng")
def stress_ng(box: Box) -> None:
    """It checks what it wrote; the count of operations bounds it, not the clock."""
    for how in (("--malloc-bytes", "2M"), ("--malloc-bytes", "64K", "--malloc-pthreads", "3"),
                ("--malloc-bytes", "8M", "--malloc-touch", "--malloc-max", "500"),
                ("--malloc-bytes", "1K", "--malloc-zerofree")):
        box.run("stress-ng", "--quiet", "--malloc", "2", "--malloc-ops", "5000", "--verify", *how,
                compare=False)
