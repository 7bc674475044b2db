"""The options with which Valgrind understands a program that runs on our allocator."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

from hak import paths
from hak.errors import FINDINGS

SYNONYMS = 'soname-synonyms'
# Where Valgrind is to put its malloc beside the C library's: programs that bring one of their own
# have no name for it, and ours has.
OURS_STAYS = 'somalloc=NONE'
# What Valgrind does to its own blocks only.
OWN_BLOCKS_ONLY = ('redzone-size', 'malloc-fill', 'free-fill')
# The same number twice: memcheck's description of a freed block is kept as long as the block.
WAITING = 'freelist-vol'
QUARANTINE = 'HAKMEM_QUARANTINE'
# The lines of the longest suppression: with fewer frames Valgrind would cut it, and suppress what is
# the program's.
SUPPRESSED_BY = 6
EXIT_CODE = 'error-exitcode'
# Tools that look for errors.
JUDGES = ('memcheck', 'helgrind', 'drd')
# What src/vg_end.c reads.
EXIT_CODE_OURS = 'HAK_MEMCHECK'


class Options:
    """What Valgrind will make of the command line and of the places where it looks besides."""

    def __init__(self, words: list[str]):
        self.words = words
        self.tool = _value(words, 'tool') or 'memcheck'

    def value(self, option: str) -> Optional[str]:
        """The last one counts; --memcheck:OPTION is for that tool."""
        plain = [word.replace(f'--{self.tool}:', '--', 1) for word in self.words]
        return _value(plain, option)

    def frames(self) -> int:
        """How many of each stack Valgrind keeps."""
        try:
            return int(self.value('num-callers') or SUPPRESSED_BY)
        except ValueError:
            return SUPPRESSED_BY  # Valgrind will tell

    def malloc_of_its_own(self) -> Optional[str]:
        """Why Valgrind is to answer the program's requests itself, if it is."""
        if self.tool != 'memcheck':
            return f'--tool={self.tool}'
        if 'somalloc=' in (self.value(SYNONYMS) or ''):
            return f'--{SYNONYMS}'
        return next((f'--{name}' for name in OWN_BLOCKS_ONLY if self.value(name) is not None), None)


def options(given: list[str], env: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Valgrind's options, those given among them, and what to set in the program's environment."""
    all_given = Options([*_elsewhere(given, env), *given])
    result, more = [], {}
    if all_given.tool in JUDGES:
        result, more = _exit_code(all_given)
    if all_given.tool == 'memcheck':
        if all_given.frames() >= SUPPRESSED_BY:
            result.append(f'--suppressions={paths.suppressions()}')
        # The suppressions name LTTng's libraries, which are unloaded before leaks are looked for.
        if env.get('HAKMEM_TRACE') == '1' and all_given.value('keep-debuginfo') is None:
            result.append('--keep-debuginfo=yes')
    if all_given.malloc_of_its_own():
        return [*result, *given], more
    waiting = all_given.value(WAITING)
    if waiting is not None:
        more[QUARANTINE] = waiting
    elif QUARANTINE in env:
        result.append(f'--{WAITING}={env[QUARANTINE]}')
    synonyms = all_given.value(SYNONYMS)
    # The last one counts.
    return [*result, *given,
            f'--{SYNONYMS}={OURS_STAYS}' + (f',{synonyms}' if synonyms else '')], more


def _exit_code(given: Options) -> tuple[list[str], dict[str, str]]:
    """1 for errors, where nobody asked for another. Valgrind's option is for all that the program
    forks, too, where the library takes it back: by its value, of which an end shows a byte."""
    if given.value(EXIT_CODE) is not None:
        return [], {}
    code = int.from_bytes(os.urandom(3), 'little') % (7 << 20) + (1 << 20) << 8 | FINDINGS
    leaks = given.value('leak-check') in ('full', 'yes')
    return [f'--{EXIT_CODE}={code}'], {EXIT_CODE_OURS: f'{os.getpid()} {code} {leaks:d}'}


def _value(words: list[str], option: str) -> Optional[str]:
    values = [word[len(option) + 3:] for word in words if word.startswith(f'--{option}=')]
    return values[-1] if values else None


# ---- where Valgrind looks besides ----

def _elsewhere(given: list[str], env: Mapping[str, str]) -> list[str]:
    if '--command-line-only=yes' in given:
        return []
    home = env.get('HOME')
    here = Path.cwd()
    return [*(_file(Path(home)) if home else []), *env.get('VALGRIND_OPTS', '').split(),
            *(_file(here) if not home or here != Path(home) else [])]


def _file(folder: Path) -> list[str]:
    path = folder / '.valgrindrc'
    try:
        status = path.stat()
        text = path.read_text(encoding='utf-8', errors='surrogateescape')
    except OSError:
        return []
    # Valgrind trusts no other.
    trusted = stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid() and \
        not status.st_mode & stat.S_IWOTH
    return text.split() if trusted else []
