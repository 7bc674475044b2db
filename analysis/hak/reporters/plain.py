"""Reports where no terminal is: one fact a line, as `topic key=value …`."""

import re
from typing import Any, TextIO

from hak import ui

_SAFE = re.compile(r'[\w.,:+/%-]+')


def line(out: TextIO, topic: str, **facts: Any) -> None:
    """Facts that are None are left out."""
    words = [f'{key}={quoted(value)}' for key, value in facts.items() if value is not None]
    out.write(' '.join([topic, *words]) + '\n')


def quoted(value: Any) -> str:
    """As it is if it is one word, else in double quotes."""
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, float):
        return f'{value:.6f}'
    text = str(value)
    if _SAFE.fullmatch(text):
        return text
    text = text.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n')
    return f'"{ui.clean(text)}"'
