"""Recordings that begin in the middle of a life, forks, execs, and equal addresses."""

import json

from history import SS, History, Wanderer, ready
from recorder import Channel, hak


def verdict(trace, code: int = 0) -> dict:
    result = hak('verify', trace, '--json')
    assert result.code == code, result.out
    return json.loads(result.out)


def lives(trace, *more) -> list:
    return json.loads(hak('timeline', trace, '--json', *more).out)['items']


def rules(told: dict) -> list:
    return [row['rule'] for row in told['counterexamples']]


def test_without_a_beginning_everything_may_have_been_there(record):
    h = History(announced=False)
    h.refill(1, gen=7)
    h.push(2, gen=3)
    h.empty(3, gen=9)
    h.release(3, gen=9)
    h.release(4, gen=2)
    h.publish(5, gen=4)
    h.stage('STAGE_1', 'NOTHING', owner=2)
    h.exit(1, published=12)
    told = verdict(record(h.text()))
    assert told['proved'] and told['lives'] == 0 and told['carried'] == 4


def test_what_was_seen_since_is_judged(record):
    h = History(announced=False)
    h.refill(1, gen=7)
    h.drop(1, gen=7)
    h.acquire('STAGE_1', 1, gen=9)
    assert rules(verdict(record(h.text()), 1)) == ['generation']


def test_lives_from_before_the_recording_have_no_begin(record):
    h = History(announced=False)
    h.refill(1, gen=7, used=30)
    h.push(1, gen=7)
    h.drop(1, gen=7)
    h.acquire('STAGE_1', 1, gen=8)
    trace = record(h.text())
    before, after = lives(trace)
    assert before['begin'] is None and before['stage'] is None and before['gen'] == 7
    assert before['ended'] == 'listed' and before['owner'] == 1 and before['used_max'] == 30
    assert after['begin'] and after['stage'] == 'STAGE_1' and after['ended'] == 'live'
    told = json.loads(hak('report', trace, '--json').out)
    assert told['lives'] == 1 and told['carried'] == 1
    assert told['classes']['6']['live'] == 1
    text = hak('timeline', trace).out.splitlines()
    assert text[:2] == ['lives count=1 carried=1', f'middle pid={record.pids[0]}']
    assert 'carried=yes' in text[2] and 'carried' not in text[3]


def test_a_push_says_nothing_of_the_owner(record):
    h = History(announced=False)
    for slab in range(4):
        h.push(slab, gen=3)
    h.refill(0, gen=3)
    h.publish(1, gen=3)
    h.begin(owner=2)
    h.refuse('ADOPT', owner=2)
    h.adopt(2, gen=3, owner=2)
    h.stage('ADOPT', 'HIT', owner=2)
    h.refill(3, gen=3, owner=0xffffffff)
    trace = record(h.text())
    told = verdict(trace)
    assert told['proved'] and told['carried'] == 3
    assert [life['slab'] for life in lives(trace)] == [0, 1, 2]


def test_a_late_announcement_is_no_new_process(record):
    h = History(announced=False)
    h.refill(1, gen=7)
    h.lines += History(complete=0).lines
    h.refill(1, gen=7)
    h.drop(1, gen=7)
    trace = record(h.text())
    assert verdict(trace)['processes'] == 1
    assert len(lives(trace)) == 1


def test_a_program_that_executes_another_starts_anew(record):
    first, second = ready(), ready()
    first.acquire()
    second.acquire()
    trace = record(first.text() + second.text())
    told = verdict(trace)
    assert told['processes'] == 2 and told['lives'] == 2 and told['carried'] == 0
    assert [life['ended'] for life in lives(trace)] == ['exec', 'live']
    assert lives(trace)[0]['end']


def test_a_forked_child_goes_on_with_its_parent_s_slabs(record):
    h = ready()
    h.acquire()
    child = History(parent=1, complete=0)
    child.publish(9, gen=5, owner=2)
    child.refill(gen=1)
    child.drop(gen=1)
    child.acquire('STAGE_1', gen=2)
    h.lines += ['fork', *child.lines, 'end']
    h.refill(gen=1)
    h.drop(gen=1)
    h.acquire('STAGE_1', gen=2)
    trace = record(h.text())
    told = verdict(trace)
    assert told['processes'] == 2 and told['lives'] == 3 and told['carried'] == 2
    processes = json.loads(hak('report', trace, '--json').out)['processes']
    assert [(process['complete'], process['parent']) for process in processes] == [
        (True, 0), (False, 1)]
    assert processes[0]['pid'] == record.pids[0] != processes[1]['pid']


def test_a_child_s_mistakes_are_its_own(record):
    h = ready()
    h.acquire()
    child = History(parent=1, complete=0)
    child.refill(gen=1)
    child.refill(gen=2)
    h.lines += ['fork', *child.lines, 'end']
    trace = record(h.text())
    told = verdict(trace, 1)
    assert rules(told) == ['generation']
    assert told['counterexamples'][0]['pid'] != record.pids[0]


def test_two_processes_with_equal_addresses(record):
    one, other = ready(), ready()
    one.acquire(cls=6)
    other.acquire(cls=7)
    other.drop(cls=7)
    trace = record(one.text(), other.text())
    assert verdict(trace)['processes'] == 2
    for pid, cls, ended in zip(record.pids, (6, 7), ('live', 'listed')):
        (life,) = lives(trace, '--pid', pid)
        assert (life['pid'], life['cls'], life['ended']) == (pid, cls, ended)
        assert life['ss'] == hex(SS)


def test_per_process_buffers_without_contexts(record):
    one, other = ready(), ready()
    one.acquire(cls=6)
    other.acquire(cls=7)
    trace = record(one.text(), other.text(), buffers='pid', contexts=False)
    assert verdict(trace)['processes'] == 2
    told = json.loads(hak('report', trace, '--json').out)
    assert sorted(process['pid'] for process in told['processes']) == sorted(record.pids)
    assert {process['name'] for process in told['processes']} == {'emit'}
    (life,) = lives(trace, '--pid', record.pids[1])
    assert life['cls'] == 7


def test_slabs_that_change_hands_between_cpus(record):
    h = ready()
    h.lines.append('cpu 0')
    h.acquire()
    h.lines.append('cpu 1')
    h.push()
    h.lines.append('cpu 0')
    h.collect()
    h.publish()
    h.exit(1, published=1)
    h.lines.append('cpu 1')
    h.begin(owner=2)
    h.refuse('ADOPT', owner=2)
    h.adopt(owner=2)
    h.stage('ADOPT', 'HIT', owner=2)
    h.lines.append('cpu 0')
    h.push()
    h.lines.append('cpu 1')
    h.drop(owner=2)
    trace = record(h.text())
    assert verdict(trace)['proved']
    (life,) = lives(trace)
    assert [spell['owner'] for spell in life['spells']] == [1, 0, 2]
    assert [spell['tid'] for spell in life['spells']] == [101, 0, 102]
    ends = [(spell['begin'], spell['end']) for spell in life['spells']]
    assert ends[0][0] == life['begin'] and ends[-1][1] == life['end']
    assert all(one[1] == two[0] for one, two in zip(ends, ends[1:]))


def test_a_snapshot_of_buffers_that_were_overwritten(record):
    """One CPU's buffer reaches further back than the other's: what lies between is unknown."""
    wanderer = Wanderer(11, 6000)
    lines = []
    for number, text in enumerate(wanderer.history.lines):
        # The other CPU hears of every fiftieth event only, so its buffer forgets less.
        if number % 50 in (0, 1):
            lines.append(f'cpu {1 - number % 50}')
        lines.append(text)
    trace = record('\n'.join(lines), snapshot=True,
                   channels=[Channel(subbuf_size=16384, subbufs=2)])
    told = verdict(trace)
    assert told['violations'] == 0, told['counterexamples']
    assert told['lost']['uncounted'] and told['lost']['state']
