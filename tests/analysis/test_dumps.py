"""State dumps: a base to stand on, and something to hold the events against."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from history import (SLAB, SS, SS_STEP, History, Wanderer, line, ready, told_slab,
                     told_superslab)
from recorder import Channel, hak
from test_views import on_terminal

# Longer than a thread may take from what it does to the event that tells it.
PAUSE = 'sleep 160'
# As long as a session may take to enable its events one after the other.
SESSION_PAUSE = 'sleep 700'


def told(command, trace, *more, code: int = 0) -> dict:
    result = hak(command, trace, '--json', *more)
    assert result.code == code, result.out + result.err
    return json.loads(result.out)


def rules(verdict: dict) -> list:
    return [row['rule'] for row in verdict['counterexamples']]


# ---- dumps that agree ----

def walk(seed: int, dumps: int, steps: int = 1200) -> tuple[list[str], list[int]]:
    """A right history with pauses around dumps, and where each dump begins."""
    wanderer, places = Wanderer(seed, steps), []
    for seq in range(1, dumps + 1):
        wanderer.history.lines.append(PAUSE)
        places.append(len(wanderer.history.lines))
        wanderer.dump(seq)
        wanderer.history.lines.append(PAUSE)
        for _ in range(steps):
            wanderer.step()
    return wanderer.history.lines, places


@pytest.fixture(scope='module')
def walked(lttng_recorder, tmp_path_factory):
    """The same history whole, and from the middle on."""
    folder = tmp_path_factory.mktemp('walked')
    lines, places = walk(3, 2)
    for name, part in (('whole', lines), ('middle', lines[places[0]:]), ('later', lines[places[1]:])):
        with lttng_recorder.session(folder / name) as emit:
            emit('\n'.join(part))
    return folder


def test_dumps_that_agree_with_the_events_are_part_of_the_proof(walked):
    verdict = told('verify', walked / 'whole')
    assert verdict['proved'] and not verdict['carried'] and not verdict['bases']
    assert verdict['dumps'] == {'complete': 2, 'incomplete': 0}
    assert verdict['checked']['dumped'] > 30
    assert '2 state dumps with ' in hak('verify', walked / 'whole').out


@pytest.mark.parametrize('part', ['middle', 'later'])
def test_from_a_dump_on_all_is_known(walked, part):
    """What is there at the end is the same, whether or not its beginning was seen."""
    whole, late = (told('report', walked / name) for name in ('whole', part))
    assert told('verify', walked / part)['proved']
    assert late['processes'][0]['base'] == late['dumps'][0]['begin'] < late['end']
    assert whole['processes'][0]['base'] is None
    for cls, item in whole['classes'].items():
        assert late['classes'].get(cls, {'live': 0})['live'] == item['live'], cls
    assert late['memory'][0]['mapped'] == whole['memory'][0]['mapped']
    lives = [[(life['ss'], life['slab'], life['gen'], life['cls'], life['owner'])
              for life in told('timeline', walked / name)['items'] if life['ended'] == 'live']
             for name in ('whole', part)]
    assert sorted(life[:4] for life in lives[0]) == sorted(life[:4] for life in lives[1])


def test_lives_that_only_a_dump_tells(record):
    h = History(announced=False)
    h.lines.append(PAUSE)
    h.dump(told_superslab(told_slab(1, gen=5, used=40), told_slab(2, 3, 7, 'EMPTY_LISTED'),
                          told_slab(3, 2, owner=0), count=8, purged=4), threads=(1,), seq=4,
           why='DUMP_SESSION', rss=9 << 20, superslab_bytes=1 << 19)
    h.lines.append(SESSION_PAUSE)
    h.push(3, gen=2)
    h.lines.append('sleep 60')
    h.acquire('STAGE_1', 2, gen=4, cls=7)
    h.drop(1, gen=5)
    trace = record(h.text())
    timeline = told('timeline', trace)
    one, three, two = timeline['items']
    dumped = told('report', trace)['dumps'][0]['begin']
    assert timeline['bases'] == [{'proc': 1, 'pid': record.pids[0], 'name': 'emit',
                                  'time': dumped, 'slabs': 3}]
    assert (one['slab'], one['gen'], one['begin'], one['dumped'], one['tid'], one['capacity'],
            one['used_max'], one['ended']) == (1, 5, None, dumped, 101, 128, 40, 'listed')
    assert (three['slab'], three['owner'], three['ended']) == (3, 0, 'live')
    assert two['begin'] and two['dumped'] is None
    assert told('verify', trace)['proved']
    text = hak('verify', trace).out
    assert 'recorded from the middle; base: dump at 0.0' in text and '3 slabs' in text
    assert f'middle pid={record.pids[0]} base=0.0' in hak('timeline', trace).out
    report = told('report', trace)
    assert report['memory'][0]['mapped'] == 1 << 19
    parts = report['memory_over_time'][0]['parts']
    assert parts[0]['tiny'] == 1 << 19 and max(part['returned'] for part in parts) == SLAB
    assert {row['cls']: (row['slabs'], row['used']) for row in report['dumped']} == {6: (2, 47)}
    drawn = on_terminal('report', trace)
    assert 'recorded from the middle; base: dump at' in drawn and 'State dumps' in drawn
    assert 'before' in on_terminal('timeline', trace)


# ---- dumps and events that do not fit ----

def known() -> History:
    """Slab 1 ACTIVE, 2 published, 3 listed, 4 unlisted, 5 UNUSED."""
    h = ready(slabs=8)
    for slab in (1, 2, 3, 4):
        h.acquire(slab=slab)
    h.publish(2)
    h.drop(3)
    h.drop(4, listed=0)
    return h


TRUE = (told_slab(1), told_slab(2, owner=0), told_slab(3, state='EMPTY_LISTED'),
        told_slab(4, state='EMPTY'))


def instead(slab: int, *other: dict) -> tuple:
    return (*(each for each in TRUE if each['slab'] != slab), *other)


HERE, NEXT = {'count': 8}, {'ss': SS + SS_STEP, 'count': 8}
NEXT_MAP = {'ss': SS + SS_STEP, 'slabs': 8}
WRONG = {
    'another owner': [told_superslab(*instead(1, told_slab(1, owner=2)), **HERE)],
    'another life': [told_superslab(*instead(1, told_slab(1, gen=2)), **HERE)],
    'another class': [told_superslab(*instead(1, told_slab(1, cls=7)), **HERE)],
    'published, not owned': [told_superslab(*instead(1, told_slab(1, owner=0)), **HERE)],
    'owned, not published': [told_superslab(*instead(2, told_slab(2)), **HERE)],
    'EMPTY, not ACTIVE': [told_superslab(*instead(1, told_slab(1, state='EMPTY_LISTED')), **HERE)],
    'ACTIVE, not EMPTY': [told_superslab(*instead(3, told_slab(3)), **HERE)],
    'listed, not unlisted': [told_superslab(*instead(4, told_slab(4, state='EMPTY_LISTED')),
                                            **HERE)],
    'bound, not UNUSED': [told_superslab(*TRUE, told_slab(5), **HERE)],
    'UNUSED, not bound': [told_superslab(*instead(1), **HERE)],
    'gone': [],
    'come': [told_superslab(*TRUE, **HERE), told_superslab(**NEXT)],
    'larger': [told_superslab(*TRUE, count=16)],
    'of another kind': [told_superslab(kind='LEGACY', **HERE)],
}


@dataclass
class Judged:
    found: dict   # name -> counterexamples
    trace: Path
    pids: dict

    def __getitem__(self, name: str) -> list:
        return self.found[name]


@pytest.fixture(scope='module')
def judged(lttng_recorder, tmp_path_factory):
    """Each history by a process of its own, all at once."""
    scripts = {}
    for name, superslabs in WRONG.items():
        h = known()
        h.lines.append(PAUSE)
        h.dump(*superslabs)
        h.lines.append(PAUSE)
        h.add('sll_drain', cls=1, owner=1)
        scripts[name] = h
    for name, change in SOON.items():
        for when in ('before', 'after'):
            h = known()
            h.lines.append(PAUSE)
            if when == 'before':
                change(h)
                h.dump(told_superslab(*TRUE, **HERE))
            else:
                h.dump(told_superslab(*TRUE, **HERE))
                change(h)
            h.lines.append(PAUSE)
            h.add('sll_drain', cls=1, owner=1)
            scripts[f'{name} {when}'] = h
    for name, make in (EXCUSED | HALF_KNOWN).items():
        scripts[name] = make()
    trace = tmp_path_factory.mktemp('judged') / 'trace'
    with lttng_recorder.session(trace) as emit, ThreadPoolExecutor(len(scripts)) as pool:
        pids = list(pool.map(lambda h: emit(h.text()), scripts.values()))
    names = dict(zip(pids, scripts))
    found = {name: [] for name in scripts}
    verdict = told('verify', trace, code=1)
    for row in verdict['counterexamples']:
        found[names[row['pid']]].append(row)
    return Judged(found, trace, dict(zip(scripts, pids)))


def both(first, second):
    return lambda h: (first(h), second(h))


# What may happen shortly before or after a dump that tells the state as if it had not.
SOON = {
    'acquired': lambda h: h.acquire(slab=5),
    'dropped': lambda h: h.drop(1),
    'adopted': both(lambda h: (h.begin(), h.refuse('ADOPT')),
                    lambda h: (h.adopt(2), h.stage('ADOPT', 'HIT'))),
    'purged': lambda h: h.purge(3),
    'mapped': lambda h: h.map(SS + SS_STEP, 8),
    'pushed': lambda h: h.push(1),
}


def incomplete() -> History:
    """A slab's event is missing: it may not be taken for UNUSED."""
    h = known()
    h.lines.append(PAUSE)
    h.dump(told_superslab(*TRUE, **HERE))
    h.lines = [text for text in h.lines if not text.startswith('statedump_slab')
               or ' slab=1 ' not in text]
    h.lines.append(PAUSE)
    h.drop(1)
    return h


def not_whole() -> History:
    """Somebody gave memory back: the pool's SuperSlabs could not be looked at."""
    h = known()
    h.lines.append(PAUSE)
    h.dump(whole=0)
    h.lines.append(PAUSE)
    h.drop(1)
    return h


def cut_off() -> History:
    """The process ends before it is clear what went on meanwhile."""
    h = known()
    h.lines.append(PAUSE)
    h.dump(told_superslab(*instead(1, told_slab(1, owner=2)), **HERE))
    return h


def unmapped(again: bool = False) -> History:
    """What is mapped there now is another SuperSlab, or none."""
    h = known()
    h.map(**NEXT_MAP)
    h.acquire(slab=1, ss=SS + SS_STEP)
    h.drop(1, ss=SS + SS_STEP)
    h.lines.append(PAUSE)
    h.dump(told_superslab(*TRUE, **HERE),
           told_superslab(told_slab(1, state='EMPTY_LISTED'), **NEXT))
    h.unmap(**NEXT_MAP)
    if again:
        h.map(**NEXT_MAP)
    h.lines.append(PAUSE)
    h.acquire(slab=1 if again else 5, ss=SS + SS_STEP if again else SS)
    return h


def for_others() -> History:
    """Nobody records how slabs change hands: what was there then says nothing of what is now."""
    h = History(announced=False)
    h.dump(told_superslab(told_slab(1, gen=4), count=8), why='DUMP_SESSION', transitions=0)
    h.lines.append(SESSION_PAUSE)
    h.acquire('STAGE_1', 1, gen=9)
    return h


def given_up() -> History:
    """A slab that is not EMPTY after all because of a double free is left alone, silently."""
    h = known()
    h.lines.append(PAUSE)
    h.dump(told_superslab(*instead(3, told_slab(3, owner=0)), **HERE), double_frees=1)
    h.lines.append(PAUSE)
    h.add('sll_drain', cls=1, owner=1)
    return h


def parked() -> History:
    """In the hands of who gives its memory back."""
    h = known()
    h.lines.append(PAUSE)
    h.dump(told_superslab(*instead(4, told_slab(4, state='PARKED')), **HERE))
    h.lines.append(PAUSE)
    h.add('sll_drain', cls=1, owner=1)
    return h


def from_the_middle(superslab: dict, why: str = 'DUMP_SESSION') -> History:
    h = History(announced=False)
    h.refill(1, gen=4)
    h.lines.append(PAUSE)
    h.dump(superslab, why=why)
    h.lines.append(SESSION_PAUSE)
    return h


def believed() -> History:
    """As a session begins, transitions may not be recorded yet."""
    h = from_the_middle(told_superslab(told_slab(2), told_slab(1, gen=9), count=8))
    h.drop(1, gen=9)
    return h


def twice() -> History:
    """A session that goes on enabling events goes on from its last dump."""
    h = History(announced=False)
    h.dump(told_superslab(told_slab(1, gen=4), told_slab(2, 3, state='EMPTY_LISTED'), count=8),
           why='DUMP_SESSION')
    h.lines.append(PAUSE)
    h.acquire('STAGE_1', 1, gen=5, owner=2)
    h.dump(told_superslab(told_slab(1, gen=5, owner=2), told_slab(2, gen=7), count=8),
           why='DUMP_SESSION', seq=2)
    h.lines.append(SESSION_PAUSE)
    h.drop(1, gen=5, owner=2)
    h.drop(2, gen=7)
    return h


def only_pushed() -> History:
    """Whoever pushes blocks to a slab says that somebody has it."""
    h = History(announced=False)
    h.push(1, gen=4)
    h.lines.append(PAUSE)
    h.dump(told_superslab(told_slab(1, gen=4, state='EMPTY_LISTED'), count=8))
    h.lines.append(PAUSE)
    h.add('sll_drain', cls=1, owner=1)
    return h


HALF_KNOWN = {'held by somebody, not EMPTY': only_pushed}
EXCUSED = {'incomplete': incomplete, 'not whole': not_whole, 'cut off': cut_off,
           'unmapped': unmapped,
           'mapped again': lambda: unmapped(again=True), 'for others': for_others,
           'given up': given_up, 'parked': parked, 'believed': believed, 'twice': twice}


@pytest.mark.parametrize('name', [*WRONG, *HALF_KNOWN])
def test_a_dump_that_contradicts_the_events_is_a_violation(judged, name):
    assert {row['rule'] for row in judged[name]} == {'dump_disagrees'}, judged[name]
    row = judged[name][0]
    assert row['seen'].startswith('statedump_') and row['expected']
    if 'around' in row and row['ss']:
        assert [event['event'].split()[0] for event in row['around'] if event['here']] == [
            row['seen'].split()[0]]


@pytest.mark.parametrize('name', [f'{name} {when}' for name in SOON for when in ('before', 'after')]
                         + list(EXCUSED))
def test_what_goes_on_meanwhile_or_is_missing_is_none(judged, name):
    assert judged[name] == []


def test_what_cannot_be_judged_changes_nothing_that_is_known(judged):
    lives = told('timeline', judged.trace, '--pid', judged.pids['cut off'])['items']
    assert [[spell['owner'] for spell in life['spells']] for life in lives] == [
        [1], [1, 0], [1], [1]]
    base, = told('timeline', judged.trace, '--pid', judged.pids['for others'])['bases']
    assert base['time'] is None


@pytest.fixture(scope='module')
def stood_on(lttng_recorder, tmp_path_factory):
    """Histories that contradict the dump they stand on: {name: counterexamples}."""
    base = told_superslab(told_slab(1, gen=4), told_slab(2, 3, state='EMPTY_LISTED'), count=8)
    scripts = {name: from_the_middle(base) for name in AGAINST}
    for name, h in scripts.items():
        AGAINST[name][1](h)
    trace = tmp_path_factory.mktemp('stood') / 'trace'
    with lttng_recorder.session(trace) as emit, ThreadPoolExecutor(len(scripts)) as pool:
        names = dict(zip(pool.map(lambda h: emit(h.text()), scripts.values()), scripts))
    verdict = told('verify', trace, code=1)
    return {names[row['pid']]: row for row in verdict['counterexamples']}


AGAINST = {
    'taken from its owner': ('acquired_twice', lambda h: h.acquire('STAGE_1', 1, gen=5)),
    'by a stage that cannot have it': ('stage_source', lambda h: h.acquire('STAGE_0_5', 2, gen=4)),
    'a life too far': ('generation', lambda h: h.acquire('STAGE_1', 2, gen=5)),
    'of the wrong owner': ('not_owner', lambda h: h.drop(1, gen=4, owner=2)),
    'a slab that no SuperSlab has': ('geometry', lambda h: h.acquire(slab=9)),
    'never bound': ('not_active', lambda h: h.refill(5)),
    'nowhere': ('not_mapped', lambda h: h.acquire(slab=1, ss=SS + SS_STEP)),
    'in use': ('unmapped_in_use', lambda h: h.unmap(slabs=8)),
}


@pytest.mark.parametrize('name', AGAINST)
def test_what_contradicts_its_base_is_a_violation(stood_on, name):
    assert stood_on[name]['rule'] == AGAINST[name][0]


# ---- losses ----

def test_overwritten_buffers_have_a_dump_to_stand_on(record):
    """A snapshot: the dumps in their own channel reach further back than the rest."""
    wanderer = Wanderer(17, 3000)
    for seq in (1, 2, 3):
        wanderer.history.lines.append(PAUSE)
        wanderer.dump(seq)
        wanderer.history.lines.append(PAUSE)
        for _ in range(1200 if seq == 1 else 60):
            wanderer.step()
    dumps = Channel('hakmem:statedump_*', subbuf_size=1 << 18)
    rest = ('hakmem:thread_*,hakmem:superslab_*,hakmem:acquire_*,hakmem:slab_*,hakmem:sll_*,'
            'hakmem:remote_*,hakmem:shared_fail,hakmem:process_start')
    trace = record(wanderer.history.text(), snapshot=True,
                   channels=[Channel(rest, subbuf_size=16384, subbufs=2), dumps])
    verdict = told('verify', trace)
    assert verdict['violations'] == 0 and verdict['dumps']['complete'] == 3
    assert verdict['lost']['uncounted'] and verdict['checked']['dumped'] > 0
    base, = verdict['bases']
    report = told('report', trace)
    assert base['time'] == report['processes'][0]['base']
    live = sum(item['live'] for item in report['classes'].values())
    assert live == len(wanderer.of('active') + wanderer.of('published'))


# More than small buffers hold; when the timer has closed their packet the loss is over.
# On a busy machine it takes a while until the consumer has made room for what comes after.
ROOM = 'sleep 2000'
LOSS = ['repeat 100000', line('remote_push', ss=hex(SS), slab=1, gen=1, cls=6, blocks=1), 'end',
        ROOM]
SMALL = Channel('hakmem:process_start,hakmem:thread_*,hakmem:superslab_*,hakmem:acquire_*,'
                'hakmem:slab_*,hakmem:sll_*,hakmem:remote_*', subbuf_size=4096, subbufs=2,
                switch_us=50000)


def test_what_a_dump_tells_after_a_loss_is_sure_and_before_it_a_hint(record):
    after = known()
    after.lines += LOSS
    after.dump(told_superslab(*instead(1, told_slab(1, gen=9)), **HERE))
    after.lines.append(ROOM)
    after.acquire('STAGE_1', 1, gen=10)
    before = from_the_middle(told_superslab(told_slab(1, gen=1), told_slab(3), count=8))
    before.lines += LOSS
    before.drop(3, gen=8)
    trace = record(after.text(), before.text(),
                   channels=[SMALL, Channel('hakmem:statedump_*')])
    verdict = told('verify', trace, code=1)
    assert verdict['lost']['events'] and verdict['lost']['state']
    assert rules(verdict) == ['acquired_twice']
    assert verdict['counterexamples'][0]['pid'] == record.pids[0]
    assert [(row['rule'], row['pid']) for row in verdict['unknown']] == [
        ('dump_disagrees', record.pids[0])]


def test_a_dump_that_lost_events_is_no_base_and_is_told(record):
    h = History(announced=False)
    h.dump(told_superslab(told_slab(1, gen=4), count=8), rss=5 << 20)
    h.lines = [text for text in h.lines if not text.startswith('statedump_slab')]
    h.dump(told_superslab(told_slab(1, gen=4), count=8), seq=2)
    h.lines.pop()
    trace = record(h.text())
    report = told('report', trace)
    assert [row['complete'] for row in report['dumps']] == [False, False]
    assert report['dumps'][0]['rss'] == 5 << 20
    assert [finding['name'] for finding in report['findings']] == ['dump_incomplete']
    assert report['processes'][0]['base'] is None and not report['carried']
    text = hak('verify', trace).out
    assert '2 state dumps incomplete' in text and 'no state dump says what was there' in text


# ---- pressure ----

def test_pressure_is_told(record):
    h = ready()
    h.add('pressure', what='PRESSURE_CGROUP', percent=90, used=95 << 20, limit=100 << 20,
          rss=50 << 20)
    h.lines.append('sleep 50')
    h.add('pressure', what='PRESSURE_CGROUP', percent=99, used=99 << 20, limit=100 << 20,
          rss=60 << 20)
    trace = record(h.text())
    report = told('report', trace)
    assert [(row['percent'], row['what'], row['limit']) for row in report['pressure']] == [
        (90, 'PRESSURE_CGROUP', 100 << 20), (99, 'PRESSURE_CGROUP', 100 << 20)]
    finding, = report['findings']
    assert finding['name'] == 'pressure' and finding['severity'] == 3
    assert "99.0 MiB of the cgroup's memory.max, 100.0 MiB" in finding['text']
    assert told('timeline', trace)['pressure'] == report['pressure']
    assert len(told('report', trace, '--to', str(report['end']))['pressure']) == 1
    assert 'pressure time=0.0' in hak('timeline', trace).out
    assert 'came near to a limit' in on_terminal('report', trace)
