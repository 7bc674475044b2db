"""Where the built parts are, in a source tree and in an installed one.

Both have the same shape under one root, so the root is always two levels above this package:

    source tree                        installed
    ROOT/analysis/hak                  PREFIX/lib/hakmem/analysis/hak
    ROOT/scripts/hak                   PREFIX/lib/hakmem/scripts/hak
    ROOT/tracepoints/events.def        PREFIX/lib/hakmem/tracepoints/events.def
    ROOT/dashboards/diff               PREFIX/lib/hakmem/dashboards/diff
    ROOT/build/trace/libhakmem.so      PREFIX/lib/hakmem/libhakmem.so
    ROOT/build/plugin/                 PREFIX/lib/hakmem/plugin/
    ROOT/build/relay/libhak-gate.so    PREFIX/lib/hakmem/libhak-gate.so

HAK_LIBDIR names another directory for the two libraries: another flavour, another build.
"""

import os
from pathlib import Path

from hak.errors import HakError

ROOT = Path(__file__).resolve().parents[2]


def in_source_tree() -> bool:
    return (ROOT / 'Makefile').is_file() or (ROOT / '.git').exists()


def library_dir() -> Path:
    chosen = os.environ.get('HAK_LIBDIR')
    if chosen:
        return Path(chosen).resolve()
    return ROOT / 'build' / 'trace' if in_source_tree() else ROOT


def library() -> Path:
    """The allocator that is preloaded."""
    return _existing(library_dir() / 'libhakmem.so')


def provider() -> Path:
    """The library with the LTTng tracepoints, which the allocator loads when it is to trace."""
    return _existing(library_dir() / 'libhakmem-lttng.so')


def plugin_dir() -> Path:
    """The directory of the Babeltrace 2 plugin."""
    return _existing(ROOT / 'build' / 'plugin' if in_source_tree() else ROOT / 'plugin')


def gate() -> Path:
    """What keeps others from our relay daemon."""
    return _existing((ROOT / 'build' / 'relay' if in_source_tree() else ROOT) / 'libhak-gate.so')


def event_catalogue() -> Path:
    return _existing(ROOT / 'tracepoints' / 'events.def')


def suppressions() -> Path:
    """What Valgrind is to be silent about."""
    return _existing(ROOT / 'analysis/hak/memcheck.supp')


def dashboards() -> Path:
    """What pages are made of, a folder each."""
    return _existing(ROOT / 'dashboards')


def schema() -> Path:
    """What the tables of the SQLite file mean."""
    return _existing(ROOT / 'analysis' / 'hak' / 'schema.md')


def hak() -> Path:
    return ROOT / 'scripts' / 'hak'


def _existing(path: Path) -> Path:
    if path.exists():
        return path
    remedy = f'run `make` in {ROOT}' if in_source_tree() else 'the installation is incomplete'
    raise HakError(f'{path} is missing', remedy)
