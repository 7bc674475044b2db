"""Flight survives the death of what it watches, and of its own parts."""

import contextlib
import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from conftest import CAPPED, events, kill, until
import running

KILLS, TIMES = 10, 5


@pytest.mark.parametrize('part', range(TIMES))
def test_sigkill_at_random_moments(flight, part):
    """After each, what was recorded can be read and checked to the last packet, hak oom has an
    answer, and what the dead process has broken can be repaired."""
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    delay = random.Random(seed)
    flight.start('--buffer-size', '16K')
    repaired = 0
    for number in range(KILLS):
        program = flight.program('churn', attached=False)
        pid = program.pid()
        time.sleep(delay.uniform(0.05, 0.3))
        kill(program)
        path = flight.dump()
        out = flight.verify(path)
        # No break in it; what the dead process did not finish is lost, and then nothing is proved.
        assert out.startswith(('proved: ', 'no violation in ')), (seed, number, out)
        answer = flight.hak('oom', path, '--json')
        assert answer.code in (0, 1), (seed, number, answer.err)
        ours, = [each for each in json.loads(answer.out)['processes'] if each['pid'] == pid]
        assert ours['verdicts'] or ours['insufficient'] or ours['ruled_out']
        repaired += 'repairing: ' in flight.start().err
    print(f'{repaired} holes repaired')
    assert flight.status()['problems'] == []


def test_a_hole_in_the_buffers_is_found_and_repaired_by_the_watcher(flight):
    """A process that dies while it writes stops the recording of all others on that CPU."""
    flight.start('--buffer-size', '16K')

    def hole() -> bool:
        for _ in range(4):
            program = flight.program('churn', attached=False)
            time.sleep(0.03)
            kill(program)
        # The watcher may have been faster than we.
        return bool(flight.snapshots('salvaged')) or any(
            'hole' in problem for problem in flight.status()['problems'])

    assert until(hole), 'no process died at the right moment'
    assert until(lambda: flight.snapshots('salvaged') and flight.status()['problems'] == [])
    program = flight.program('churn')
    assert until(lambda: any(f'vpid = {program.pid()},' in line
                             for line in events(flight.dump())))


def test_shared_memory_of_the_dead(flight):
    """SIGKILL for the program and for the whole of LTTng: what was overwritten is known, the
    rest is proved."""
    flight.start('--buffer-size', '16K')
    program = flight.program('churn')
    pid = program.pid()
    assert until(lambda: any(f'pid = {pid}' in line for line in events(flight.dump())))
    kill(program)
    os.kill(flight.daemon(), signal.SIGKILL)
    assert until(lambda: flight.status()['problems'])
    status = flight.status()
    assert status['code'] == 1
    assert 'the session daemon is gone: run `hak flight start`' in status['problems']
    result = flight('dump', 'dead')
    assert result.code == 0, result.err
    assert 'what was in shared memory' in result.err
    out = flight.verify(result.out.strip())
    assert 'lost: an unknown number of events' in out
    assert any(f'pid = {pid}' in line for line in events(result.out.strip()))


def test_a_snapshot_from_the_middle_of_a_life_stands_on_a_state_dump(flight):
    program = flight.program('churn', attached=False, HAKMEM_TRACE='auto')
    flight.start('--buffer-size', '16K')
    assert until(lambda: flight.attached(program))
    assert until(lambda: events(flight.dump('probe'), 'statedump_end'))
    time.sleep(0.3)
    snapshot = flight.dump()
    assert 'recorded from the middle; base: dump at ' in flight.verify(snapshot)
    report = json.loads(flight.hak('report', snapshot, '--json').out)
    process, = report['processes']
    assert process['base'] in [each['begin'] for each in report['dumps']]
    assert report['dumps'][0]['rss'] > 0 and report['dumps'][0]['slabs'] > 0
    assert sum(item['live'] for item in report['classes'].values()) > 0
    kill(program)


def test_the_daemon_dies_and_start_repairs(flight):
    flight.start()
    program = flight.program('double_free')
    program.trouble()
    assert until(lambda: flight.trigger('double_free')['fired'])
    os.kill(flight.daemon(), signal.SIGKILL)
    assert until(lambda: flight.status()['state'] == 'broken')
    result = flight.start()
    assert 'repairing: ' in result.err
    assert flight.status()['problems'] == []
    salvaged, = flight.snapshots('salvaged')
    assert events(salvaged, 'double_free')
    flight.verify(salvaged)
    # The program lives on and is seen again, within LTTng's five seconds.
    assert until(lambda: flight.attached(program))
    program.trouble()
    assert events(flight.dump(), 'double_free')
    # What had been counted stays.
    assert flight.trigger('double_free')['fired'] >= 1


def test_a_daemon_started_by_others_after_ours_died(flight):
    """The session is gone with the daemon that had it."""
    flight.start()
    os.kill(flight.daemon(), signal.SIGKILL)
    assert until(lambda: flight.status()['state'] == 'broken')
    assert flight.hak('record', '-o', 'trace', '--', 'true').code == 0
    assert flight.status()['state'] == 'broken'
    flight.start()
    assert flight.status()['problems'] == []


def test_the_watcher_dies_and_start_repairs(flight):
    flight.start()
    program = flight.program('shared_fail', 1000, **CAPPED)
    os.kill(flight.state()['watcher']['pid'], signal.SIGKILL)
    time.sleep(0.1)
    assert until(lambda: any('the watcher is gone' in problem
                             for problem in flight.status()['problems']))
    # Without it the first storm still takes one snapshot, and only one.
    for _ in range(3):
        program.trouble()
    assert until(lambda: flight.snapshots('shared_fail'))
    time.sleep(0.5)
    assert len(flight.snapshots('shared_fail')) == 1
    assert 'repairing: ' in flight.start().err
    assert flight.status()['problems'] == []
    program.trouble()
    assert until(lambda: len(flight.snapshots('shared_fail')) == 2)


def hak_itself(pid: int) -> int:
    """What runuser, and nothing else, has started."""
    children = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    return int(children[0]) if children else pid


def test_a_start_that_is_killed_can_be_repeated(flight):
    for delay in (0.1, 0.2, 0.3):
        starting = flight.hak.start('flight', 'start', '--shm', flight.shm)
        time.sleep(delay)
        with contextlib.suppress(ProcessLookupError):  # it was faster
            os.kill(hak_itself(starting.pid), signal.SIGKILL)
        starting.communicate()
    flight.start()
    assert flight.status()['problems'] == []
    assert flight('stop').code == 0
    assert until(lambda: not running._marked(flight.hak.mark))


def test_attaches_to_what_runs_already(flight):
    """With HAKMEM_TRACE=auto, a program looks for a daemon when it asks for more memory."""
    program = flight.program('shared_fail', 3000, attached=False, HAKMEM_TRACE='auto', **CAPPED)
    program.trouble()
    flight.start()

    def attached() -> bool:
        program.trouble()
        return flight.attached(program)

    assert until(attached)
    program.trouble()
    snapshot = flight.taken('shared_fail')
    assert 'complete = 0' in events(snapshot, 'process_start')[0]
    flight.verify(snapshot)
