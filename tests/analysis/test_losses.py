"""Lost events are counted and placed, and never taken for violations."""

import json
import random

import pytest
from history import SS, Wanderer, line, ready
from recorder import Channel, hak

SEED = random.randrange(1 << 32)
LIFECYCLE = 'hakmem:process_start,hakmem:thread_*,hakmem:superslab_*,hakmem:acquire_*,hakmem:slab_*'
FLOW = 'hakmem:sll_*,hakmem:remote_*'


def verdict(trace) -> dict:
    return json.loads(hak('verify', trace, '--json').out)


@pytest.fixture
def lossy(record):
    """A right history, of which the buffers were too small for most."""
    # Faster than anything can write it down: all of it in one go, many times.
    text = Wanderer(SEED, 20000).history.text()
    for _ in range(5):
        trace = record(text, channels=[Channel(subbuf_size=4096, subbufs=2)])
        # All that was lost may lie behind the last event seen, if the daemon did not get to run.
        if verdict(trace)['explained'] > 0:
            break
    return trace


def test_what_a_loss_explains_is_no_violation(lossy):
    result = hak('verify', lossy)
    told = verdict(lossy)
    assert told['lost']['events'] > 0 and told['lost']['state']
    assert result.code == 0, (SEED, told['counterexamples'])
    assert told['violations'] == 0
    assert told['explained'] > 0
    assert 'lost: ' in result.out and 'unknown, not violations' in result.out


def test_losses_are_placed_in_time(lossy):
    told = json.loads(hak('report', lossy, '--json').out)
    lost = told['lost']
    assert sum(row['count'] for row in lost['intervals']) == lost['events']
    for row in lost['intervals']:
        assert row['kind'] == 'events' and row['begin'] <= row['end'] and row['stream']
    assert 'losses' in {finding['name'] for finding in told['findings']}


def test_a_loss_of_flow_events_excuses_no_transition(record):
    h = ready()
    h.acquire()
    h.lines += ['repeat 200000', line('remote_push', ss=hex(SS), slab=1, gen=1, cls=6, blocks=1),
                'end']
    h.empty()
    h.acquire('STAGE_1', gen=2)
    trace = record(h.text(), channels=[
        Channel(LIFECYCLE), Channel(FLOW, subbuf_size=4096, subbufs=2)])
    told = verdict(trace)
    assert told['lost']['events'] > 0 and not told['lost']['state']
    assert [row['rule'] for row in told['counterexamples']] == ['not_released']


def test_what_contradicts_something_seen_after_the_loss_is_a_violation(record):
    h = ready()
    h.acquire()
    h.lines += ['repeat 200000', line('remote_push', ss=hex(SS), slab=1, gen=1, cls=6, blocks=1),
                'end', 'sleep 1000']
    # When the timer has closed the packet the loss is over.
    h.acquire(slab=5, gen=1)
    h.empty(slab=5)
    h.acquire('STAGE_1', slab=5, gen=2)
    trace = record(h.text(), channels=[Channel(subbuf_size=4096, subbufs=2, switch_us=200000)])
    told = verdict(trace)
    assert told['lost']['state']
    assert [row['rule'] for row in told['counterexamples']] == ['not_released']


def test_without_losses_nothing_is_excused(record):
    h = ready()
    h.acquire()
    h.acquire(gen=2)
    told = verdict(record(h.text()))
    assert told['explained'] == 0 and told['violations'] == 1
    assert told['lost'] == {'events': 0, 'packets': 0, 'uncounted': False, 'state': False,
                            'doubts': []}
