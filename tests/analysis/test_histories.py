"""Long random histories: every number equals a slow recount; what is missing is missed."""

import json
import random
import sqlite3
from contextlib import closing

import pytest
from history import Wanderer, ready
from recorder import Channel, hak
from recount import recount

SEED = random.randrange(1 << 32)


def report(trace, *more) -> dict:
    result = hak('report', trace, '--json', *more)
    assert result.code == 0, result.err
    return json.loads(result.out)


def compare(told: dict, counted: dict, classes=range(16)) -> None:
    assert {stage: n for stage, n in told['stages'].items() if n} == dict(counted['stages'])
    assert told['lives'] == counted['lives']
    assert told['ace_fail'] == dict(counted['ace_fail'])
    for cls in classes:
        item, expected = told['classes'].get(str(cls)), counted['classes'].get(cls)
        if expected is None:
            continue
        assert {stage: n for stage, n in item['stages'].items() if n} == dict(expected['stages'])
        assert item['acquires'] == sum(expected['stages'].values())
        for key in ('lives', 'shared_fail', 'legacy', 'refilled', 'given_remote', 'pushed',
                    'collected'):
            assert item[key] == expected[key], (cls, key)


@pytest.fixture(scope='module')
def wandered(lttng_recorder, tmp_path_factory):
    """A trace of two processes that wander over the same addresses."""
    print(f'seed {SEED}')
    trace = tmp_path_factory.mktemp('wandered') / 'trace'
    with lttng_recorder.session(trace) as emit:
        pids = [emit(Wanderer(SEED + n, 3000).history.text()) for n in range(2)]
    return trace, pids


def test_a_random_history_is_proved(wandered):
    result = hak('verify', wandered[0], '--json')
    told = json.loads(result.out)
    assert result.code == 0, told['counterexamples']
    assert told['proved'] and told['violations'] == 0 and told['explained'] == 0
    assert told['processes'] == 2 and told['carried'] == 0


def test_every_number_equals_a_recount(wandered):
    trace, _ = wandered
    told, counted = report(trace), recount(trace)
    compare(told, counted)
    assert told['event_counts'] == dict(counted['events'])
    assert told['events'] == sum(counted['events'].values())
    assert told['acquires'] == sum(counted['stages'].values())
    assert told['lost'] == {'events': 0, 'packets': 0, 'uncounted': False, 'unfinished': None,
                            'doubts': [], 'intervals': []}


def test_one_process_is_told_apart(wandered):
    trace, pids = wandered
    for pid in pids:
        compare(report(trace, '--pid', pid), recount(trace, pid=pid))


def test_memory_equals_a_recount(wandered):
    trace, pids = wandered
    for pid in pids:
        counted = recount(trace, pid=pid)
        told = report(trace, '--pid', pid)
        (row,) = told['memory']
        assert row['layer'] == 'TINY' and row['peak'] == counted['most_mapped']
        for key in ('maps', 'unmaps', 'purges', 'purge_bytes', 'mapped', 'unmap_bytes'):
            assert row[key] == counted['memory'][key], key
        # Unmaps are rarer: a walk may have none.
        assert row['maps'] and row['purges']
        (series,) = told['memory_over_time']
        assert max(part['tiny'] for part in series['parts']) <= row['peak']
        assert series['last']['tiny'] == row['mapped']
        assert sum(item['unmapped'] for item in told['superslabs']) == row['unmaps']
        assert sum(item['maps'] for item in told['class_sizes']) == row['maps']


def test_one_class_is_told_apart(wandered):
    trace, _ = wandered
    for cls in (0, 6, 15):
        compare(report(trace, '--class', cls), recount(trace, cls=cls), [cls])


def test_there_are_as_many_lives_as_slabs_became_active(wandered):
    trace, _ = wandered
    items = json.loads(hak('timeline', trace, '--json').out)
    assert items['lives'] == len(items['items']) == recount(trace)['lives']
    assert items['carried'] == 0
    assert all(item['begin'] and item['certain'] for item in items['items'])


def test_live_and_peak_slabs_are_those_of_the_history(lttng_recorder, tmp_path):
    wanderer = Wanderer(SEED, 2000)
    with lttng_recorder.session(tmp_path / 'trace') as emit:
        emit(wanderer.history.text())
    told = report(tmp_path / 'trace')['classes']
    for cls in range(16):
        live = len(wanderer.of('active', cls=cls)) + len(wanderer.of('published', cls=cls))
        assert told.get(str(cls), {'live': 0})['live'] == live, SEED
        if live:
            assert told[str(cls)]['live_peak'] >= live


def test_more_lives_than_fit_into_memory(record):
    """They are sorted in a file then; each is told once, in its place."""
    h, slabs, gens = ready(), 32, 2300
    for gen in range(1, gens + 1):
        for slab in range(slabs):
            h.acquire('STAGE_2' if gen == 1 else 'STAGE_1', slab, gen, slab % 16)
            h.drop(slab, gen, slab % 16)
    trace = record(h.text(), channels=[Channel(subbuf_size=8 << 20, subbufs=16)])
    told = report(trace)
    assert not told['lost']['events'] and told['lives'] == slabs * gens
    assert {item['lifetime']['count'] for item in told['classes'].values()} == {2 * gens}
    with closing(sqlite3.connect(trace.with_name('trace.hak.sqlite'))) as db:
        rows = db.execute('SELECT slab, n, gen FROM life ORDER BY proc, ss, slab, n').fetchall()
    assert rows == [(slab, gen, gen) for slab in range(slabs) for gen in range(1, gens + 1)]


def mutants(lines: list[str], choose: random.Random):
    """(what was done, the lines) for lines dropped or swapped early in a history."""
    kinds = ('slab_active', 'slab_empty', 'slab_release', 'slab_publish', 'acquire_begin',
             'acquire_stage', 'thread_start', 'thread_exit', 'superslab_map')
    early = range(len(lines) // 3)
    for kind in kinds:
        places = [at for at in early if lines[at].startswith(kind + ' ')]
        for at in choose.sample(places, min(3, len(places))):
            yield f'dropped {at}: {lines[at]}', lines[:at] + lines[at + 1:]
    pairs = (('slab_empty', 'slab_release'), ('slab_active', 'acquire_stage'),
             ('acquire_begin', 'acquire_stage'))
    for first, second in pairs:
        places = [at for at in early if lines[at].startswith(first + ' ')
                  and lines[at + 1].startswith(second + ' ')]
        for at in choose.sample(places, min(3, len(places))):
            yield (f'swapped {at}: {lines[at]}',
                   [*lines[:at], lines[at + 1], lines[at], *lines[at + 2:]])


def test_a_dropped_or_swapped_event_is_noticed_at_its_slab_or_owner(lttng_recorder, tmp_path):
    trace = tmp_path / 'trace'
    lines = Wanderer(SEED, 1500).history.lines
    done = {}
    with lttng_recorder.session(trace) as emit:
        for what, mutant in mutants(lines, random.Random(SEED)):
            done[emit('\n'.join(mutant))] = what
    assert hak('verify', trace, '--db', tmp_path / 'db').code == 1
    with closing(sqlite3.connect(tmp_path / 'db')) as db:
        seen = {pid: text for pid, text in db.execute(
            'SELECT p.pid, min(v.time || v.seen || v.expected) FROM violation v '
            'JOIN process p USING (proc) WHERE NOT explained GROUP BY p.pid')}
    assert not [what for pid, what in done.items() if pid not in seen], SEED
    for pid, what in done.items():
        words = dict(word.split('=') for word in what.split()[2:] if '=' in word)
        named = [f'{key}={words[key]} ' for key in ('owner', 'ss') if key in words]
        named += [f'owner {words["owner"]} '] if 'owner' in words else []
        assert any(name in seen[pid] + ' ' for name in named), (SEED, what, seen[pid])
