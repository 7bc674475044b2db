"""`hak oom`: every cause is named from the events that show it, and not from what looks like it."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest
import troubles as t
from recorder import SECONDS, Channel, hak
from troubles import MIB, Troubled

from hak import fate
from hak.db import Database, Scope
from hak.oom import demand, growth, judge
from hak.oom.facts import Facts
from hak.oom.verdict import CAUSES, Answer, ProcessVerdict, Verdict
from hak.reporters import oom_text

SPARSE, FULL, HALF = {'used': 4}, {'used': 128}, {'used': 64}
QUEUED = {'used': 128, 'remote': 120}
HEAVY = {'owner': 1, 'tid': 101, 'parked_bytes': 3 * MIB, 'cached': 3 * MIB, 'cpu_ns': 5}
LIGHT = {'owner': 1, 'tid': 101, 'parked_bytes': MIB, 'cpu_ns': 5}

# name -> the history, what must be named, what must not, for what data must be insufficient.
CASES = {
    'nothing': (Troubled(), [], {*CAUSES} - {'not_us'}, ['not_us']),

    'stranded': (t.stranded(), ['stranded_empty'], ['soft_cap', 'scan_limit'], ()),
    'stranded, in a storm': (t.stranded_in_a_storm(90000), ['stranded_empty', 'soft_cap'],
                             ['scan_limit'], ()),
    'none is idle, in a storm': (t.stranded_in_a_storm(0), ['soft_cap'], ['stranded_empty'], ()),
    'full pool, in a storm': (t.full_pool_in_a_storm(), ['ace_exhaustion'], ['ace_threshold'], ()),
    'few are idle': (t.stranded(unmarked=1), ['soft_cap'], ['stranded_empty'], ()),
    'few were idle': (t.ended(t.stranded(unmarked=1)), ['soft_cap'], ['stranded_empty'], ()),
    'none is idle': (t.stranded(unmarked=0), ['soft_cap'], ['stranded_empty'], ()),
    'on the way to the list': (t.on_its_way(), ['soft_cap'], ['stranded_empty'], ()),
    'stranded before': (t.stranded_before(), ['stranded_empty'], ['soft_cap'], ()),
    'refused below a learned cap': (t.learned_before(), [], ['soft_cap', 'stranded_empty'], ()),
    'beyond the scan': (t.out_of_scan(), ['scan_limit'], ['stranded_empty', 'soft_cap'], ()),
    'refused by the system': (t.refused_by_the_system(), [],
                              ['stranded_empty', 'soft_cap', 'scan_limit'], ()),

    'unfit': (t.unfit(), ['ace_threshold'], ['ace_exhaustion'], ()),
    'hardly any unfit': (t.unfit(count=50), [], ['ace_threshold'], ()),
    'unfit because passed on': (t.unfit(layer='LARGE'), [], ['ace_threshold'], ()),
    'full pool': (t.full_pool(), ['ace_exhaustion'], ['ace_threshold'], ()),
    'pool that was full': (t.ended(t.full_pool()), ['ace_exhaustion'], ['ace_threshold'], ()),
    'full because passed on': (t.full_pool(layer='LARGE'), [], ['ace_exhaustion'], ()),
    'full before': (t.full_before(), ['ace_exhaustion'], ['ace_threshold'], ()),

    'address space': (t.limited(limit_as=103 * MIB), ['map_fail_rlimit_as'],
                      ['map_fail_unknown', 'map_fail_overcommit'], ()),
    'mapped after the dump': (t.mapped_then_refused(), ['map_fail_rlimit_as'],
                              ['map_fail_unknown'], ()),
    'address space to spare': (t.limited(limit_as=200 * MIB), ['map_fail_unknown'],
                               ['map_fail_rlimit_as'], ()),
    'an aligned place': (t.limited(limit_as=120 * MIB, asked=32 * MIB), ['map_fail_rlimit_as'],
                         ['map_fail_unknown'], ()),
    'near the limit from the begin': (t.refused_by_malloc(limit_as=103 * MIB),
                                      ['map_fail_rlimit_as'], ['map_fail_unknown'], ()),
    'data': (t.limited(limits={'data': 99 * MIB, 'limit_data': 100 * MIB}),
             ['map_fail_rlimit_data'], ['map_fail_unknown', 'map_fail_rlimit_as'], ()),
    'data to spare': (t.limited(limits={'data': 50 * MIB, 'limit_data': 100 * MIB}),
                      ['map_fail_unknown'], ['map_fail_rlimit_data'], ()),
    'locked': (t.limited(err=11, limits={'locked': 7 * MIB, 'limit_memlock': 8 * MIB}),
               ['map_fail_rlimit_memlock'], ['map_fail_unknown'], ()),
    'locked, refused otherwise': (t.limited(limits={'locked': 7 * MIB, 'limit_memlock': 8 * MIB}),
                                  ['map_fail_unknown'], ['map_fail_rlimit_memlock'], ()),
    'mappings': (t.limited(maps=65500, max_maps=65530), ['map_fail_max_map_count'],
                 ['map_fail_unknown', 'map_fail_rlimit_as'], ()),
    'mappings to spare': (t.limited(maps=60000, max_maps=65530), ['map_fail_unknown'],
                          ['map_fail_max_map_count'], ()),
    'more than there is': (t.limited(size=9 << 30), ['map_fail_overcommit'],
                           ['map_fail_unknown'], ()),
    'more than there is, allowed': (t.limited(size=9 << 30, overcommit=1), ['map_fail_unknown'],
                                    ['map_fail_overcommit'], ()),
    'all committed': (t.limited(overcommit=2, committed=5000, commit_limit=4 * MIB),
                      ['map_fail_overcommit'], ['map_fail_unknown'], ()),
    'all committed, allowed': (t.limited(overcommit=0, committed=5000, commit_limit=4 * MIB),
                               ['map_fail_unknown'], ['map_fail_overcommit'], ()),
    'injected': (t.limited(settings={'FAIL_MAP': '20%'}), ['map_fail_injected'],
                 ['map_fail_unknown', 'map_fail_rlimit_as'], ()),
    'injected and limited': (t.limited(settings={'FAIL_MAP': '20%'}, limit_as=103 * MIB),
                             ['map_fail_rlimit_as', 'map_fail_injected'], [], ()),
    'two limits': (t.limited(maps=65500, max_maps=65530, limit_as=103 * MIB),
                   ['map_fail_max_map_count', 'map_fail_rlimit_as'], [], ()),
    'refused before': (t.refused_before(limit_as=103 * MIB), ['map_fail_rlimit_as'], [], ()),
    'limits unknown': (t.never_dumped(), ['map_fail_unknown'], [],
                       ['map_fail_rlimit_as', 'map_fail_max_map_count', 'map_fail_overcommit']),
    'more than addresses': (t.limited(size=1 << 50), [], ['map_fail_overcommit',
                                                          'map_fail_unknown'], ()),
    'group': (t.in_group(95 * MIB), ['map_fail_cgroup'], [], ()),
    'group of a user': (t.in_group(95 * MIB, path='/user.slice/user@7.service/editor.scope'),
                        ['map_fail_cgroup'], [], ()),
    'group without a unit': (t.in_group(95 * MIB, path='/my;jobs/1', version=1),
                             ['map_fail_cgroup'], [], ()),
    'group that has a part': (t.in_group(95 * MIB, anon=int(171.5 * MIB)), ['map_fail_cgroup'],
                              [], ()),
    'group with room': (t.in_group(80 * MIB), [], ['map_fail_cgroup'], ()),
    'group of others': (t.in_group(95 * MIB, anon=5 * MIB), [], ['map_fail_cgroup'], ()),
    'group that recovered': (t.in_group(95 * MIB, later=50 * MIB), [], ['map_fail_cgroup'], ()),

    'address space used up by the program': (t.nearly_full(97), ['map_fail_rlimit_as'], [], ()),
    'address space used up so far': (t.nearly_full(97, 'DUMP_PERIODIC'), [],
                                     ['map_fail_rlimit_as'], ()),
    'address space that has room': (t.nearly_full(90), [], ['map_fail_rlimit_as'], ()),

    'leak': (t.leaking(), ['leak'], [], ()),
    'leak until it is tight': (t.leaking(busy=0, tight=True), ['leak'], [], ()),
    'loading data': (t.leaking(busy=0), [], ['leak'], ['leak']),
    'small leak': (t.leaking(waves=12), [], ['leak'], ()),
    'slabs of what is cached': (t.cached(), [], ['leak'], ['leak']),
    'full cache': (t.filled(), [], ['leak'], ['leak']),
    'sawtooth': (t.sawtooth(), [], ['leak'], ['leak']),
    'late ramp': (t.late_ramp(), [], ['leak'], ['leak']),
    'leak that ended': (t.ended_leak(), [], ['leak'], ['leak']),
    'growth in a second': (t.dumped_growth(), [], ['leak'], ()),
    'outside': (t.outside(5, 60, 60), ['not_us'], [], ()),
    'outside, of Python': (t.outside(5, 60, 60, name='python3.11'), ['not_us'], [], ()),
    'outside, at the start': (t.outside(5, 60, 60, apart=1), [], ['not_us'], ()),
    'outside, at the start, and tight': (t.outside(5, 60, 60, tight=True, apart=1), ['not_us'], [],
                                         ()),
    'outside, always': (t.outside(60, 60, 60), [], ['not_us'], ()),
    'outside, always, and tight': (t.outside(60, 60, 60, tight=True), ['not_us'], [], ()),
    'outside, little': (t.outside(5, 25, 25), [], ['not_us'], ()),

    'outside, shared': (t.shared(25, 90), ['not_us'], [], ()),
    'outside, shared always': (t.shared(90, 90), [], ['not_us'], ()),
    "outside, the tracer's": (t.shared(20, 90, tracer=(20, 90)), [], ['not_us'], ()),
    "outside, the tracer's at last": (t.shared(60, 90, tracer=(20, 80)), [], ['not_us'], ()),
    'outside, shared with its parent': (t.shared(25, 90, parent=7), [], ['not_us'], ()),

    'sparse': (t.dumped([SPARSE] * 160), ['fragmentation'], ['remote_backlog'], ()),
    'sparse, of a large process': (t.dumped([SPARSE] * 160 + [FULL] * 480),
                                   ['fragmentation'], [], ()),
    'sparse, of a large one, tight': (t.dumped([SPARSE] * 160 + [FULL] * 480, tight=True),
                                      ['fragmentation'], [], ()),
    'sparse since': (t.thinned([FULL] * 160, [SPARSE] * 160), ['fragmentation'], [], ()),
    'half full': (t.dumped([HALF] * 160), [], ['fragmentation'], ()),
    'sparse, of many': (t.dumped([SPARSE] * 80 + [FULL] * 560), [], ['fragmentation'], ()),
    'few sparse': (t.dumped([SPARSE] * 40), [], ['fragmentation'], ()),
    'not carved yet': (t.dumped([{'used': 4, 'carved': 16}] * 160), [], ['fragmentation'], ()),
    'sparse, grown, tight': (t.grown_sparse(), ['fragmentation'], ['leak'], ['leak']),
    'queued': (t.dumped([QUEUED] * 160, [LIGHT]), ['remote_backlog'], ['fragmentation'], ()),
    'little queued': (t.dumped([QUEUED] * 40 + [FULL] * 600), [], ['remote_backlog'], ()),
    'caches': (t.dumped([FULL] * 160, [HEAVY]), ['thread_cache_bloat'], ['remote_backlog'], ()),
    'small caches': (t.dumped([FULL] * 160, [LIGHT]), [], ['thread_cache_bloat'], ()),
    'outgrown': (t.overgrown(), [], [], ['fragmentation', 'remote_backlog',
                                         'thread_cache_bloat']),
    'strides': (t.wasteful(mean=520), ['class_waste'], [], ()),
    'strides that fit': (t.wasteful(mean=1700, slabs=600), [], ['class_waste'], ()),
    'strides of little': (t.wasteful(mean=520, slabs=50), [], ['class_waste'], ()),
    'strides of a small part': (t.wasteful(mean=520, slabs=100, rss=64 * MIB), [],
                                ['class_waste'], ()),
    'strides, hardly sampled': (t.wasteful(mean=520, samples=20), [], ['class_waste'],
                                ['class_waste']),
    'operations': (t.operating(520), ['class_waste'], [], ()),
    'operations that fit': (t.operating(1700), [], ['class_waste'], ()),

    'double free': (t.corrupt(double_free=1), ['corruption'], [], ()),
    'written to': (t.corrupt(hdr_reset=2), ['corruption'], [], ()),
    'invalid free': (t.corrupt(invalid_free=1), ['corruption'], [], ()),
    'misuse before': (t.corrupt_before(), ['corruption'], [], ()),

    'small SuperSlabs': (t.churning(8), ['superslab_too_small'], [], ()),
    'small SuperSlabs, and a rest': (t.rested(t.churning(8)), ['superslab_too_small'], [], ()),
    'small SuperSlabs of a program that grows': (t.churning(8, back=False), [],
                                                 ['superslab_too_small'], ()),
    'SuperSlabs used again': (t.recycling(), [], ['superslab_too_small'], ()),
    'large SuperSlabs': (t.churning(32), [], ['superslab_too_small'], ()),

    'begins in the middle': (t.late(), [], [], ['stranded_empty', 'corruption', 'leak',
                                                    'map_fail_rlimit_as', 'fragmentation',
                                                    'not_us', 'ace_exhaustion']),
    'two at once': (t.both(), ['ace_exhaustion', 'soft_cap'], [], ()),
}


@pytest.fixture(scope='module')
def recorded(lttng_recorder, tmp_path_factory):
    """All of them in one recording, each a process of its own: its path, and name -> answer."""
    trace = tmp_path_factory.mktemp('oom') / 'trace'
    with lttng_recorder.session(trace, Channel(subbuf_size=8 << 20)) as emit:
        pids = {name: emit(case[0].text()) for name, case in CASES.items()}
    result = hak('oom', trace, '--json')
    assert result.code == 1, result.err
    told = json.loads(result.out)
    answers = {process['pid']: process for process in told['processes']}
    return trace, {name: answers[pid] for name, pid in pids.items()}


@pytest.mark.parametrize('name', CASES)
def test_verdict(recorded, name):
    _, expected, never, unknown = CASES[name]
    answer = recorded[1][name]
    found = [verdict['cause'] for verdict in answer['verdicts']]
    insufficient = {each['cause'] for each in answer['insufficient']}
    assert found[:len(expected)] == expected, answer
    assert not {*never} & {*found}, answer
    assert {*unknown} <= insufficient, answer
    assert {*never} - {*unknown} <= {*answer['ruled_out']}, answer
    # Each cause is spoken of once.
    assert sorted([*found, *insufficient, *answer['ruled_out']]) == sorted(CAUSES), answer


def change(recorded, name, number=0) -> str:
    return recorded[1][name]['verdicts'][number]['change']


def test_what_to_change_fits_the_numbers(recorded):
    assert change(recorded, 'stranded') == 'export HAKMEM_SS_EMPTY_RECYCLE=full'
    assert change(recorded, 'few were idle') == 'export HAKMEM_TINY_CAP=6:45'
    assert change(recorded, 'pool that was full') == 'export HAKMEM_ACE_MID_CAP=2M'
    # Who goes on may want more than was recorded.
    assert change(recorded, 'few are idle') == 'unset HAKMEM_TINY_CAP'
    assert change(recorded, 'full pool') == 'unset HAKMEM_ACE_MID_CAP'
    assert change(recorded, 'unfit') == 'export HAKMEM_ACE_WMAX=1.33'
    # As many as there are pages in 8 GiB: how fast they came is not known.
    assert change(recorded, 'mappings') == f'sysctl vm.max_map_count={(8 << 30) // 4096}'
    assert change(recorded, 'address space') == 'ulimit -v unlimited'
    assert change(recorded, 'data') == 'ulimit -d unlimited'
    assert change(recorded, 'locked') == 'ulimit -l unlimited'
    assert change(recorded, 'injected') == 'unset HAKMEM_FAIL_MAP'
    assert change(recorded, 'strides') == 'export HAKMEM_TINY_CLASSES=16'
    assert '--class 6' in change(recorded, 'sparse')
    assert change(recorded, 'outside').startswith('strace ')
    # That would show pages of its own allocator.
    assert change(recorded, 'outside, of Python').startswith('PYTHONMALLOC=malloc hak record ')


def test_what_is_small_is_a_guess_where_memory_did_not_run_short(recorded):
    sure = {name: recorded[1][name]['verdicts'][0]['confidence']
            for name in ('sparse', 'sparse, of a large process', 'sparse, of a large one, tight')}
    assert sure['sparse, of a large process'] < 0.5 < sure['sparse']
    assert sure['sparse, of a large one, tight'] == sure['sparse']


def test_the_slab_that_few_blocks_keep_is_of_a_look_at_it_since(recorded):
    sums, kept = recorded[1]['sparse since']['verdicts'][0]['evidence']
    assert kept['text'].startswith('4 blocks of 128 keep slab ') and kept['time'] > sums['time']


@pytest.mark.parametrize('used, overflow, rate, wanted', [
    (800 * MIB, 0, 0.0, 900 * MIB), (800 * MIB, 80 * MIB, 0.0, 990 * MIB),
    (800 * MIB, 80 * MIB, 1024.0, 990 * MIB),
    (800 * MIB, 80 * MIB, 1.0 * MIB, (800 + 86_400) * MIB),
])
def test_what_is_enough_lasts_a_day_and_has_room_for_what_was_refused(used, overflow, rate, wanted):
    assert demand.enough(used, overflow, demand.Growth(rate, 10 ** 9, 0)) == wanted
    assert demand.enough(used, overflow, None) is None


def test_the_evidence_of_a_limit_is_of_one_moment(recorded):
    """What was mapped since the dump is in both, what was used and hakmem's part of it."""
    _, seen, _ = recorded[1]['mapped after the dump']['verdicts'][0]['evidence']
    numbers = seen['numbers']
    assert numbers['used'] == 180 * MIB and numbers['hakmem'] == 82 * MIB
    assert 'RLIMIT_AS' in seen['text'] and '82.0 MiB of it hakmem' in seen['text']


def test_a_group_is_named_with_what_raises_its_limit(recorded):
    assert change(recorded, 'group') == 'systemctl set-property cart.service MemoryMax=8192M'
    assert change(recorded, 'group of a user') == (
        'systemctl --user set-property editor.scope MemoryMax=8192M')
    assert change(recorded, 'group without a unit') == (
        "echo 8192M > '/sys/fs/cgroup/memory/my;jobs/1/memory.limit_in_bytes'")
    seen = recorded[1]['group']['verdicts'][0]['evidence'][0]
    assert seen['text'].startswith('the memory cgroup /shop/cart.service was at 95.0 MiB of 100.0 '
                                   'MiB without page cache, 95%: 80.0 MiB of it this process')


def test_no_process_has_more_of_a_group_than_there_is(recorded):
    text = recorded[1]['group that has a part']['verdicts'][0]['evidence'][0]['text']
    assert 'all of it this process, of whose 171.5 MiB the rest counts elsewhere' in text


def test_evidence_is_numbers_with_times(recorded):
    trace, answers = recorded
    verdict, = answers['stranded']['verdicts']
    seen = verdict['evidence'][0]
    assert seen['time'] == verdict['first_time']
    assert seen['numbers']['requests'] == 5 and seen['numbers']['unmarked'] == 20
    queued, sleeper = answers['queued']['verdicts'][0]['evidence']
    assert queued['numbers'] == {'bytes': 160 * 120 * 512, 'exact': 1}
    assert sleeper['numbers'] == {'owner': 1, 'bytes': 160 * 120 * 512, 'tid': 101}
    assert 0 < answers['two at once']['verdicts'][1]['weight'] < 0.1


def test_causes_that_explain_alike_come_in_the_order_of_time(recorded):
    two = recorded[1]['two limits']['verdicts']
    assert two[0]['first_time'] <= two[1]['first_time']
    weights = [each['weight'] for each in recorded[1]['two at once']['verdicts']]
    assert weights == sorted(weights, reverse=True)


def test_growth_between_dumps_is_told_of_many_seconds_only(recorded, tmp_path):
    trace, answers = recorded
    assert 'leak' in answers['growth in a second']['ruled_out']
    copy = shutil.copy(f'{trace}.hak.sqlite', tmp_path / 'db')
    with closing(sqlite3.connect(copy)) as db, db:
        db.execute('UPDATE dump SET begin = begin + (seq - 1) * 5000000000')
    with closing(Database(tmp_path / 'db')) as db:
        row, = (row for row in db.processes(Scope())
                if row['pid'] == answers['growth in a second']['pid'])
        leak = next(growth.judge(Facts(db, row, 'TRACE')))
    assert leak.cause == 'leak' and leak.confidence == growth.LASTING


def test_people_get_a_screen(recorded):
    text = hak('oom', recorded[0]).out
    assert 'stranded_empty' in text and len(text.splitlines()) < 60
    assert 'more processes' in text


def test_a_command_line_is_one_line_whatever_is_in_it():
    script = 'while true\ndo :\ndone\n' * 100
    told = oom_text._command(['sh', '-c', script])
    assert told.startswith("sh -c 'while true do :") and len(told) == oom_text.COMMAND_SHOWN


def test_a_process_without_a_cause_gets_one_line(record):
    trace = record(Troubled().text())
    result = hak('oom', trace)
    assert result.code == 0 and len(result.out.splitlines()) == 1, result.out
    assert f'process {record.pids[0]} ' in result.out and 'no cause found' in result.out


def test_what_a_process_was_before_is_told_if_it_was_in_trouble(record):
    fine, troubled = Troubled().text(), t.stranded().text()
    for text, count in ((fine + troubled, 1), (troubled + fine, 2)):
        trace = record(text, name=f'exec{count}')
        told = json.loads(hak('oom', trace, '--json').out)['processes']
        assert [bool(process['verdicts']) for process in told] == [True, False][:count]


def test_what_was_lost_is_said(record):
    h = t.stranded()
    h.lines += ['repeat 20000', *t.stranded().lines[-1:], 'end']
    trace = record(h.text(), channels=[Channel(subbuf_size=4096, subbufs=2)])
    told = json.loads(hak('oom', trace, '--json').out)['processes'][0]
    verdict = told['verdicts'][0]
    assert verdict['cause'] == 'stranded_empty' and verdict['confidence'] < 0.8
    assert 'lost' in verdict['evidence'][-1]['text']
    assert {each['cause']: 'lost' in each['why'] for each in told['insufficient']}['corruption']


def test_snapshots_in_a_directory_are_joined(record, tmp_path):
    """One process in two of them, each of which shows another cause."""
    folder = tmp_path / 'snapshots'
    folder.mkdir()
    for number, history in enumerate((t.stranded(), t.corrupt(double_free=1)), 1):
        record(history.text(), name='trace')
        (tmp_path / 'trace').rename(folder / f'oom-20261123-10150{number}-{number}')
    (folder / 'notes').mkdir()
    told = json.loads(hak('oom', folder, '--json').out)
    found = [[verdict['cause'] for verdict in process['verdicts']]
             for process in told['processes']]
    assert sorted(found) == [['corruption'], ['stranded_empty']]


def snapshot_of(begin: int, *ruled_out: str, **weights: float) -> Answer:
    """Of one process, which refused its first request at 5."""
    return Answer('trace', begin, [ProcessVerdict(7, 'server', [
        Verdict(cause, 0.95, 5, weight, [], f'do what {cause} needs')
        for cause, weight in weights.items()], [], list(ruled_out))])


def test_of_a_storm_the_later_snapshot_is_believed():
    """The first that is refused finds nothing idle yet."""
    early = snapshot_of(0, 'stranded_empty', soft_cap=1.0, corruption=0.5)
    late = snapshot_of(1, stranded_empty=0.99, soft_cap=0.01)
    process, = judge.joined([early, late]).processes
    assert [verdict.cause for verdict in process.verdicts] == [
        'stranded_empty', 'corruption', 'soft_cap']
    assert process.verdicts[-1].weight == 0.01
    assert 'stranded_empty' not in process.ruled_out
    # One that began later says nothing of the earlier refusals.
    process, = judge.joined([early, snapshot_of(6, stranded_empty=1.0)]).processes
    assert {verdict.cause for verdict in process.verdicts} == {
        'stranded_empty', 'corruption', 'soft_cap'}


def test_a_refusal_is_judged_by_the_limits_that_another_snapshot_knows(lttng_recorder, tmp_path):
    """One has the refusals and no dump, the other the dump and no refusals."""
    folder = tmp_path / 'snapshots'
    folder.mkdir()
    refusals, dumps = (folder / f'map_fail-20261123-10150{number}-{number}' for number in (1, 2))
    events = [Channel(f'hakmem:{name}') for name in ('process_start', 'ace_fail*', 'oom*')]
    with lttng_recorder.session(refusals, *events), lttng_recorder.session(
            dumps, Channel('hakmem:process_start'), Channel('hakmem:statedump_*')) as emit:
        emit(t.limited(limit_as=103 * MIB).text())

    def causes(path) -> list[str]:
        process, = json.loads(hak('oom', path, '--json').out)['processes']
        return [verdict['cause'] for verdict in process['verdicts']]

    assert causes(refusals) == ['map_fail_unknown']
    assert 'map_fail_unknown' not in causes(dumps)
    assert causes(folder) == ['map_fail_rlimit_as']


def noted(record, name: str, text: str = '', **program) -> dict:
    """What is said of a process that `hak record` has noted this of."""
    trace = record(text or Troubled().text(), name=name)
    note = {'argv': ['prog', '--all'], 'pid': record.pids[0], 'code': -9, 'began': 1, 'ended': 2,
            'kills': {}, 'machine_kills': 0, **program}
    (trace / 'hak-recording.json').write_text(json.dumps(
        {'version': 1, 'trouble': [], 'files': {}, 'program': note}))
    process, = json.loads(hak('oom', trace, '--json').out)['processes']
    return process


def test_who_was_killed_for_want_of_memory_is_told_by_the_kernel_s_counts(record):
    large = Troubled()
    large.region('ace_map', size=40 * MIB, layer='HUGE', mapped=40 * MIB)
    group = noted(record, 'group', large.text(), kills={'/jobs/7': 1}, machine_kills=1, memory=1 << 30,
                  group_limits={'/jobs/7': 64 * MIB}, cgroup_version=1)
    verdict, = group['verdicts']
    assert verdict['cause'] == 'map_fail_cgroup' and verdict['confidence'] > 0.9
    assert verdict['change'] == 'echo 1024M > /sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes'
    assert 'memory cgroup /jobs/7 (64.0 MiB)' in verdict['evidence'][0]['text']
    assert group['ended'] == 'killed by SIGKILL' and group['command'] == ['prog', '--all']

    machine, = noted(record, 'machine', machine_kills=1)['verdicts']
    assert machine['cause'] == 'machine_oom'
    # Others were killed in a group that this one had hardly anything of.
    assert not noted(record, 'small', kills={'/jobs/7': 1}, machine_kills=1,
                     group_limits={'/jobs/7': 64 * MIB})['verdicts']
    # However large it was: what it told of groups is that none of its own has a limit.
    elsewhere = Troubled()
    elsewhere.dump('DUMP_SESSION', slabs=[{}] * 640, anon=48 * MIB)
    assert not noted(record, 'elsewhere', elsewhere.text(), kills={'/jobs/7': 1}, machine_kills=1,
                     group_limits={'/jobs/7': 64 * MIB})['verdicts']
    # Somebody else's SIGKILL; and somebody else who was killed.
    assert not noted(record, 'somebody')['verdicts']
    assert not noted(record, 'else', code=0, machine_kills=3)['verdicts']
    # Near its limit, but nobody was killed there.
    assert not noted(record, 'near', t.in_group(99 * MIB).text(), code=0)['verdicts']


def test_limits_that_no_dump_tells_are_those_the_program_began_with(record):
    refused = t.never_dumped().text()
    verdict, = noted(record, 'limited', refused, code=1, limits={
        'as': 150 * MIB, 'data': None, 'memlock': 8 * MIB, 'stack': 8 * MIB})['verdicts']
    assert verdict['cause'] == 'map_fail_rlimit_as', verdict
    assert verdict['change'] == 'ulimit -v unlimited'
    both = noted(record, 'both', refused, code=1, limits={'as': 150 * MIB, 'data': 150 * MIB})
    assert [each['cause'] for each in both['verdicts']] == ['map_fail_unknown']


@pytest.mark.parametrize('program', [
    None, 7, [], {'pid': 1}, {'code': 'x'}, {'argv': 7}, {'argv': [7]}, {'kills': []},
    {'kills': {'/': 'x'}}, {'limits': 3}, {'machine_kills': 1 << 70}, {'cgroup_version': 3},
    {'unheard_of': 1},
])
def test_a_note_that_cannot_be_understood_is_none(tmp_path, program):
    right = {'argv': ['prog'], 'pid': 1, 'code': -9, 'began': 1, 'ended': 2}
    assert fate.read(_note(tmp_path, right)) == fate.Fate(['prog'], 1, -9, 1, 2)
    wrong = {**right, **program} if isinstance(program, dict) and len(program) == 1 and \
        program != {'pid': 1} else program
    assert fate.read(_note(tmp_path, wrong)) is None


def _note(folder, program):
    (folder / 'hak-recording.json').write_text(json.dumps({'program': program}))
    return folder


def test_shared_memory_is_read_without_its_process(lttng_recorder, tmp_path):
    run, shm = lttng_recorder.daemon.client.run, tmp_path / 'shm'
    run('create', 'oom-shm', '--snapshot', f'--output={tmp_path / "snapshot"}',
        f'--shm-path={shm}')
    try:
        run('enable-channel', '--userspace', '--session', 'oom-shm', '--buffers-uid',
            '--overwrite', '--subbuf-size=64K', '--num-subbuf=4', 'channel')
        run('enable-event', '--userspace', '--session', 'oom-shm', '--channel', 'channel',
            'hakmem:*')
        run('add-context', '--userspace', '--session', 'oom-shm', '--type', 'vpid', '--type',
            'vtid', '--type', 'procname')
        run('start', 'oom-shm')
        pid = lttng_recorder.emit(t.stranded().text())
        shutil.copytree(shm, tmp_path / 'left')
    finally:
        run('destroy', 'oom-shm', seconds=SECONDS)
    told = json.loads(hak('oom', tmp_path / 'left', '--json').out)
    process, = told['processes']
    assert told['trace'] == str(tmp_path / 'left') and process['pid'] == pid
    assert [verdict['cause'] for verdict in process['verdicts']] == ['stranded_empty']


@pytest.mark.parametrize('args, code, said', [
    ((), 2, 'PATH'), (('no-such',), 3, 'no-such does not exist'), (('.', '--cause'), 2, '--cause'),
])
def test_bad_input_is_one_line(args, code, said, tmp_path):
    result = hak('oom', *args, cwd=tmp_path)
    assert result.code == code and said in result.err and len(result.err.splitlines()) == 1


def test_an_empty_directory_is_no_recording(tmp_path):
    result = hak('oom', tmp_path)
    assert result.code == 3 and result.err.splitlines() == [
        f'hak: {tmp_path} is empty: nothing was recorded there: give the directory that '
        '`hak record` wrote']
