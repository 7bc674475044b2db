"""The options with which Valgrind understands a program that runs on our allocator."""

from collections.abc import Mapping
from typing import Optional

from hak import paths

SYNONYMS = '--soname-synonyms='
# Valgrind is to leave the malloc of ours alone, and to replace the C library's, from which ours
# gets its memory then.
OURS = 'somalloc=nouserintercepts'
# The same number twice: memcheck's description of a freed block is kept as long as the block.
WAITING = '--freelist-vol='
QUARANTINE = 'HAKMEM_QUARANTINE'


def options(given: list[str], env: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Valgrind's options, those given among them, and what to set in the program's environment."""
    synonyms = _value(given, SYNONYMS)
    waiting = _value(given, WAITING)
    result = [SYNONYMS + (f'{OURS},{synonyms}' if synonyms else OURS),
              f'--suppressions={paths.suppressions()}']
    more = {}
    if _value(given, '--error-exitcode=') is None:
        result.append('--error-exitcode=1')
    # The suppressions name LTTng's libraries, which are unloaded before leaks are looked for.
    if env.get('HAKMEM_TRACE') == '1' and _value(given, '--keep-debuginfo=') is None:
        result.append('--keep-debuginfo=yes')
    if waiting is not None:
        more = {QUARANTINE: waiting}
    elif QUARANTINE in env and _value(given, '--tool=') in (None, 'memcheck'):
        result.append(WAITING + env[QUARANTINE])
    return [*result, *(word for word in given if not word.startswith(SYNONYMS))], more


def _value(given: list[str], option: str) -> Optional[str]:
    values = [word[len(option):] for word in given if word.startswith(option)]
    return values[-1] if values else None
