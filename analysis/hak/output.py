"""Files that commands write."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Union

from hak.errors import HakError


@contextlib.contextmanager
def opened(file: Union[Path, str], mode: str = 'w', **options) -> Iterator[IO]:
    """Open for writing, text as UTF-8. An error of the system's names the file."""
    if 'b' not in mode:
        options = {'encoding': 'utf-8', 'newline': '', **options}
    try:
        with open(file, mode, **options) as out:
            yield out
    except OSError as error:
        # A disk that is full says so when it is written to, without a name.
        if error.filename is None:
            raise HakError(f'{file}: {error.strerror}', 'what is in it is not whole') from error
        raise
