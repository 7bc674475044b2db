"""A real recording from which one event is taken out by hand: verify must notice and point at it."""

import json

import bt2
import pytest
from conftest import ROOT, events

DROPPED = ['slab_active', 'slab_empty', 'slab_release', 'superslab_map', 'acquire_begin']


class _Without(bt2._UserMessageIterator):
    """Passes on every message but one event."""

    def __init__(self, config, port):
        self._input = self._create_message_iterator(self._component._input_ports['in'])
        self._name, self._number = self._component.dropped

    def __next__(self):
        while True:
            message = next(self._input)
            if type(message) is bt2._EventMessageConst and message.event.name == self._name:
                self._number -= 1
                if self._number == 0:
                    continue
            return message


class _Dropper(bt2._UserFilterComponent, message_iterator_class=_Without):
    def __init__(self, config, params, obj):
        self.dropped = obj
        self._add_input_port('in')
        self._add_output_port('out')


def copy_without(source, target, name: str, number: int) -> None:
    """Writes the trace again, but for the number-th event of that name."""
    graph = bt2.Graph()
    ctf = bt2.find_plugin('ctf')
    reader = graph.add_component(ctf.source_component_classes['fs'], 'reader',
                                 {'inputs': [str(next(source.rglob('metadata')).parent)]})
    muxer = graph.add_component(bt2.find_plugin('utils').filter_component_classes['muxer'], 'muxer')
    dropper = graph.add_component(_Dropper, 'dropper', obj=(f'hakmem:{name}', number))
    writer = graph.add_component(ctf.sink_component_classes['fs'], 'writer',
                                 {'path': str(target), 'quiet': True})
    for i, port in enumerate(reader.output_ports.values()):
        graph.connect_ports(port, muxer.input_ports[f'in{i}'])
    graph.connect_ports(muxer.output_ports['out'], dropper.input_ports['in'])
    graph.connect_ports(dropper.output_ports['out'], writer.input_ports['in'])
    graph.run()


@pytest.fixture
def recording(hak):
    # Its second thread gets the slabs that its first one left.
    result = hak('record', '-o', 'whole', '--', ROOT / 'build/tests/stress/fill_free_fill', '4')
    assert result.code == 0, result.err
    return hak.cwd / 'whole'


def test_a_copy_with_everything_is_still_proved(hak, recording):
    copy_without(recording, hak.cwd / 'copy', 'slab_active', 0)
    assert len(events(hak.cwd / 'copy')) == len(events(recording))
    result = hak('verify', 'copy')
    assert result.code == 0, result.out + result.err


@pytest.mark.parametrize('name', DROPPED)
def test_one_missing_event_is_pointed_at(hak, recording, name):
    copy_without(recording, hak.cwd / 'copy', name, 3)
    result = hak('verify', 'copy', '--json')
    assert result.code == 1, result.out + result.err
    found = json.loads(result.out)
    assert found['violations'] and not found['proved']
    assert found['counterexamples'][0]['rule']
