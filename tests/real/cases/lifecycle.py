"""The programs of tests/real/lifecycle: each is named after what must hold."""

from harness import HERE, ROOT, Box, Case, CASES

for source in sorted((HERE / "lifecycle").glob("*.c")):
    def run(box: Box, name: str = source.stem) -> None:
        box.run(ROOT / "build" / "real" / name)

    CASES.append(Case(source.stem, run))
