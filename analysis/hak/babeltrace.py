"""What Babeltrace is asked to do: the graph source.ctf.fs … → filter.utils.muxer → sink.hakmem.lives.

Imported in child processes only (apart.py).
"""

import ctypes
import gc
import os
import re
from collections import deque
from typing import Optional

import bt2
from bt2 import native_bt

from hak import apart, paths
from hak.around import AFTER, AFTER_NS, BEFORE, BEFORE_NS
from hak.errors import HakError
from hak.graph import LIBRARY

_ADDRESSES = re.compile(r'[:,] [\w-]*addr=')


def read(reading) -> Optional[str]:
    """None, or what went wrong in the middle: what was read until then is in the database."""
    # The path may be none that can be told to Babeltrace: it gets the name only.
    here = os.open('.', os.O_PATH | os.O_DIRECTORY)
    try:
        os.chdir(reading.database.parent)
        return _read(reading)
    finally:
        os.fchdir(here)
        os.close(here)
        # A graph that failed leaves its error behind when it goes, and Babeltrace would abort the
        # program over it at the next call.
        gc.collect()
        native_bt.current_thread_clear_error()


def _read(reading) -> Optional[str]:
    try:
        graph = _build(reading)
    except bt2._Error as error:
        raise HakError(_first_cause(error), _remedy(error)) from None
    try:
        while True:
            graph.run_once()
    except bt2.Stop:
        return None
    except bt2.TryAgain:
        raise HakError('the trace is still being written', 'stop the recording first') from None
    except bt2._Error as error:
        # Our component completes the file before it passes a source's failure on.
        if _is_ours(error) or not os.path.exists(reading.database.name):
            raise HakError(_first_cause(error), _remedy(error)) from None
        return _first_cause(error)


def first_time(folders: list[str]) -> Optional[int]:
    """The time of the trace's first event, in nanoseconds since the epoch."""
    try:
        for message in bt2.TraceCollectionMessageIterator(folders):
            apart.step()
            if type(message) is bt2._EventMessageConst:
                return message.default_clock_snapshot.ns_from_origin
    except bt2._Error as error:
        raise HakError(_first_cause(error), _remedy(error)) from None
    return None


def environment(folder: str) -> dict:
    """What the recorder wrote down of itself and the machine: hostname, tracer and so on."""
    try:
        for message in bt2.TraceCollectionMessageIterator([folder]):
            apart.step()
            if type(message) is bt2._StreamBeginningMessageConst:
                return {key: str(value) for key, value in message.stream.trace.environment.items()}
    except bt2._Error:
        pass    # what is damaged has been told of already
    return {}


def time_range(folders: list[str]) -> Optional[tuple[int, int]]:
    """Begin and end of the trace by its packets, for a progress bar; None if they do not say."""
    ranges = []
    try:
        for inputs in _groups(folders):
            query = bt2.QueryExecutor(_source(), 'babeltrace.trace-infos', {'inputs': inputs})
            ranges += [stream['range-ns'] for trace in query.query()
                       for stream in trace['stream-infos'] if 'range-ns' in stream]
            apart.step()
    except (bt2._Error, HakError):
        return None
    if not ranges:
        return None
    return (min(int(span['begin']) for span in ranges), max(int(span['end']) for span in ranges))


def around(folders: list[str], row: dict) -> list[dict]:
    """What around.py tells."""
    before: deque = deque(maxlen=BEFORE + 1)
    after: list[dict] = []
    try:
        for message in _messages(folders, row['time'] - BEFORE_NS, row['time'] + AFTER_NS):
            apart.step()
            if type(message) is not bt2._EventMessageConst or not _concerns(message.event, row):
                continue
            time = message.default_clock_snapshot.ns_from_origin
            if time > row['time']:
                after.append(_told(message.event, time, row))
                if len(after) == AFTER:
                    break
            else:
                before.append(_told(message.event, time, row))
    except bt2._Error:
        pass  # a damaged trace: what was read is told
    return [*before, *after]


def _build(reading) -> bt2.Graph:
    graph = bt2.Graph()
    muxer = graph.add_component(_plugin('utils').filter_component_classes['muxer'], 'muxer')
    params = {'db': reading.database.name, 'identity': reading.identity,
              'missing': [_missing(each) for each in reading.missing]}
    if reading.begin is not None:
        params['begin'] = reading.begin
    if reading.end is not None:
        params['end'] = reading.end
    for name in ('overwritten', 'unfinished'):
        if time := getattr(reading, name):
            params[name] = bt2.UnsignedIntegerValue(time)
    sink = graph.add_component(_lives(), 'lives', params)
    _watch()
    for number, inputs in enumerate(_groups(list(map(str, reading.folders)))):
        source = graph.add_component(_source(), f'trace{number}', {'inputs': inputs})
        for name in source.output_ports:
            graph.connect_ports(source.output_ports[name],
                                muxer.input_ports[list(muxer.input_ports)[-1]])
    graph.connect_ports(muxer.output_ports['out'], sink.input_ports['in'])
    return graph


def _missing(each) -> dict:
    return {'stream': each.stream.encode('utf-8', 'replace').decode(),
            **{name: bt2.UnsignedIntegerValue(getattr(each, name))
               for name in ('begin', 'end', 'packets')}}


def _source():
    return _plugin('ctf').source_component_classes['fs']


def _groups(folders: list[str]) -> list[list[str]]:
    """Folders of one trace, such as the chunks of a rotated one, belong to one component."""
    groups: dict[str, list[str]] = {}
    for folder in folders:
        query = bt2.QueryExecutor(_source(), 'babeltrace.support-info',
                                  {'type': 'directory', 'input': folder})
        try:
            info = query.query()
        except bt2._Error:
            raise HakError(f'{folder}/metadata cannot be understood',
                           'without it no event can be read') from None
        name = str(info['group']) if 'group' in info else folder
        groups.setdefault(name, []).append(folder)
        apart.step()
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


def _watch() -> None:
    """Lets the component say how far it is. The library is loaded already; this finds it again."""
    ctypes.CDLL(str(paths.plugin_dir() / LIBRARY)).hakmem_lives_watch(ctypes.byref(apart.progress))


def _is_ours(error: bt2._Error) -> bool:
    """Did our component fail, not the source? The first cause says where it began."""
    return getattr(error[0], 'component_class_name', '') == 'lives'


def _first_cause(error: bt2._Error) -> str:
    """The innermost cause in Babeltrace's words, without the addresses of its objects."""
    return _ADDRESSES.split(error[0].message)[0].translate({ord(mark): None for mark in '`"'})


def _remedy(error: bt2._Error) -> str:
    return '' if _is_ours(error) else 'the trace is damaged'


# ---- single events ----

def _messages(folders: list[str], begin: int, end: int):
    trimmer = bt2.ComponentSpec.from_named_plugin_and_component_class(
        'utils', 'trimmer', {'begin': _time(begin), 'end': _time(end)})
    return bt2.TraceCollectionMessageIterator(folders, [trimmer])


def _time(ns: int) -> str:
    return f'{ns // 10 ** 9}.{ns % 10 ** 9:09d}'


def _concerns(event, row) -> bool:
    if not event.name or not event.name.startswith('hakmem:'):
        return False
    context = event.common_context_field
    if context is not None and 'vpid' in context and row['pid'] != int(context['vpid']):
        return False
    payload = event.payload_field
    if row['ss'] is not None and 'ss' in payload and int(payload['ss']) == row['ss'] % (1 << 64):
        return 'slab' not in payload or int(payload['slab']) == row['slab']
    return (row['owner'] is not None and 'owner' in payload
            and int(payload['owner']) == row['owner'])


def _told(event, time: int, row) -> dict:
    name = event.name.removeprefix('hakmem:')
    words = ' '.join(f'{key}={_value(value)}' for key, value in event.payload_field.items())
    return {'time': time, 'event': f'{name} {words}',
            'here': time == row['time'] and row['seen'].split()[0] == name}


def _value(field) -> str:
    if isinstance(field, bt2._EnumerationFieldConst):
        try:
            return field.labels[0]
        except (AssertionError, IndexError, RuntimeError):
            return str(int(field))   # a value without a label
    if isinstance(field, bt2._UnsignedIntegerFieldConst) and field.cls.preferred_display_base == 16:
        return hex(field)
    return str(field)
