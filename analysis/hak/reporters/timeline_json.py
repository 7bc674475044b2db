"""`hak timeline --json`: written as it is read, whatever its length."""

from dataclasses import asdict
from typing import TextIO

from hak import ui


def write(source, lives, frame, out: TextIO) -> None:
    head = {'trace': str(source.trace), 'begin': source.first, 'end': source.db.meta['last'],
            'lives': frame.begun, 'carried': frame.carried, 'bases': frame.bases,
            'pressure': frame.pressure, 'batches': frame.batches, 'warnings': source.warnings}
    out.write(ui.json_text(head)[:-1] + ', "items": [')
    separator = '\n'
    for life in lives:
        out.write(separator + ui.json_text(asdict(life)))
        separator = ',\n'
    out.write('\n]}\n')
