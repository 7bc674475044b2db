"""Runs the Babeltrace graph source.ctf.fs … → filter.utils.muxer → sink.hakmem.lives."""

import ctypes
import gc
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import bt2
from bt2 import native_bt

from hak import paths
from hak.errors import HakError

LIBRARY = 'babeltrace-plugin-hakmem.so'
_ADDRESSES = re.compile(r'[:,] [\w-]*addr=')


@dataclass(frozen=True)
class Reading:
    """What to make of a trace: which folders, into which file, for which time."""
    folders: list
    database: Path
    begin: Optional[int] = None       # nanoseconds since the epoch
    end: Optional[int] = None
    overwritten: int = 0              # on the trace's clock
    unfinished: int = 0               # on the trace's clock
    identity: str = ''                # kept in the file


def run(reading: Reading, step: Callable[[int], None] = lambda ns: None) -> Optional[str]:
    """Reads the trace; None, or what went wrong in the middle of it.

    step(ns) is called now and then with the time the reading has come to. What was read before a
    failure is in the database; a failure that leaves none is a HakError.
    """
    try:
        return _run(reading, step)
    finally:
        # A graph that failed leaves its error behind when it goes, and Babeltrace would abort the
        # program over it at the next call.
        gc.collect()
        native_bt.current_thread_clear_error()


def _run(reading: Reading, step: Callable[[int], None]) -> Optional[str]:
    try:
        graph = _build(reading)
    except bt2._Error as error:
        raise HakError(_first_cause(error), _remedy(error)) from None
    progress = _progress()
    try:
        while True:
            graph.run_once()
            step(progress())
    except bt2.Stop:
        return None
    except bt2.TryAgain:
        raise HakError('the trace is still being written', 'stop the recording first') from None
    except bt2._Error as error:
        if _is_ours(error) or not reading.database.exists():
            raise HakError(_first_cause(error), _remedy(error)) from None
        return _first_cause(error)


def built() -> float:
    """When the component was: files that another one wrote are not to be trusted."""
    return (paths.plugin_dir() / LIBRARY).stat().st_mtime


def first_time(folders: list) -> Optional[int]:
    """The time of the trace's first event, in nanoseconds since the epoch."""
    try:
        for message in bt2.TraceCollectionMessageIterator([str(folder) for folder in folders]):
            if type(message) is bt2._EventMessageConst:
                return message.default_clock_snapshot.ns_from_origin
    except bt2._Error as error:
        raise HakError(_first_cause(error), _remedy(error)) from None
    return None


def environment(folders: list) -> dict:
    """What the recorder wrote down of itself and the machine: hostname, tracer and so on."""
    if not folders:
        return {}
    try:
        for message in bt2.TraceCollectionMessageIterator([str(folders[0])]):
            if type(message) is bt2._StreamBeginningMessageConst:
                return {key: str(value) for key, value in message.stream.trace.environment.items()}
    except bt2._Error:
        pass    # what is damaged has been told of already
    return {}


def time_range(folders: list) -> Optional[tuple[int, int]]:
    """Begin and end of the trace by its index, for a progress bar; None if it does not say."""
    ranges = []
    try:
        for inputs in _groups(folders):
            query = bt2.QueryExecutor(_source(), 'babeltrace.trace-infos', {'inputs': inputs})
            ranges += [stream['range-ns'] for trace in query.query()
                       for stream in trace['stream-infos'] if 'range-ns' in stream]
    except bt2._Error:
        return None
    if not ranges:
        return None
    return (min(int(span['begin']) for span in ranges), max(int(span['end']) for span in ranges))


def _build(reading: Reading) -> bt2.Graph:
    graph = bt2.Graph()
    muxer = graph.add_component(_plugin('utils').filter_component_classes['muxer'], 'muxer')
    params = {'db': str(reading.database), 'identity': reading.identity}
    if reading.begin is not None:
        params['begin'] = reading.begin
    if reading.end is not None:
        params['end'] = reading.end
    for name in ('overwritten', 'unfinished'):
        if time := getattr(reading, name):
            params[name] = bt2.UnsignedIntegerValue(time)
    sink = graph.add_component(_lives(), 'lives', params)
    for number, inputs in enumerate(_groups(reading.folders)):
        source = graph.add_component(_source(), f'trace{number}', {'inputs': inputs})
        for name in source.output_ports:
            graph.connect_ports(source.output_ports[name],
                                muxer.input_ports[list(muxer.input_ports)[-1]])
    graph.connect_ports(muxer.output_ports['out'], sink.input_ports['in'])
    return graph


def _source():
    return _plugin('ctf').source_component_classes['fs']


def _groups(folders: list) -> list[list[str]]:
    """Folders of one trace, such as the chunks of a rotated one, belong to one component."""
    groups: dict[str, list[str]] = {}
    for folder in map(str, folders):
        query = bt2.QueryExecutor(_source(), 'babeltrace.support-info',
                                  {'type': 'directory', 'input': folder})
        try:
            info = query.query()
        except bt2._Error:
            raise HakError(f'{folder}/metadata cannot be understood',
                           'without it no event can be read') from None
        name = str(info['group']) if 'group' in info else folder
        groups.setdefault(name, []).append(folder)
    return list(groups.values())


def _plugin(name: str):
    plugin = bt2.find_plugin(name)
    if plugin is None:
        raise HakError(f'Babeltrace\'s plugin {name} is missing', 'apt-get install babeltrace2')
    return plugin


def _lives():
    folder = paths.plugin_dir()
    try:
        found = bt2.find_plugins_in_path(str(folder), recurse=False, fail_on_load_error=True)
    except bt2._Error as error:
        raise HakError(f'the plugin in {folder} cannot be loaded: {_first_cause(error)}',
                       'build it for this Babeltrace: run `make`') from None
    for plugin in found or ():
        if plugin.name == 'hakmem' and 'lives' in plugin.sink_component_classes:
            return plugin.sink_component_classes['lives']
    raise HakError(f'no Babeltrace plugin hakmem in {folder}', 'run `make`')


def _progress() -> Callable[[], int]:
    """How far the component has come. The library is loaded already; this finds it again."""
    function = ctypes.CDLL(str(paths.plugin_dir() / LIBRARY)).hakmem_lives_progress
    function.restype = ctypes.c_int64
    return function


def _is_ours(error: bt2._Error) -> bool:
    """Did our component fail, not the source? The first cause says where it began."""
    return getattr(error[0], 'component_class_name', '') == 'lives'


def _first_cause(error: bt2._Error) -> str:
    """The innermost cause in Babeltrace's words, without the addresses of its objects."""
    return _ADDRESSES.split(error[0].message)[0].translate({ord(mark): None for mark in '`"'})


def _remedy(error: bt2._Error) -> str:
    return '' if _is_ours(error) else 'the trace is damaged'
