"""`hak diff --html`."""

from pathlib import Path

from hak.comparison import Comparison
from hak.reporters import pages


def write(found: Comparison, file: Path) -> None:
    pages.write(file, 'diff', ['diff/diff.css'], ['diff/diff.js'], found.as_json())
