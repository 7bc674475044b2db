"""Each condition takes its snapshot by itself, a storm of them takes one, and old ones go."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from conftest import CAPPED, events, settled, until

# condition -> how a program comes to it, and the event that the snapshot must hold
TROUBLES = {
    'double_free': (['double_free'], 'double_free'),
    'hdr_reset': (['write_after_free'], 'hdr_reset'),
    'shared_fail': (['shared_fail', 600], 'shared_fail'),
    'map_fail': (['out_of_memory'], 'ace_fail'),
    'oom': (['out_of_memory'], 'oom'),
}
# Conditions that follow upon each of them.
AFTER = ('a_moment_after', 'a_second_after')


def bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())


@pytest.mark.parametrize('condition', TROUBLES)
def test_takes_a_snapshot(flight, condition):
    args, event = TROUBLES[condition]
    flight.start()
    program = flight.program(*args, **(CAPPED if condition == 'shared_fail' else {}))
    assert flight.snapshots() == []
    program.trouble()
    snapshot = flight.taken(condition)
    assert until(lambda: flight.trigger(condition)['fired'] == 1)
    found = events(snapshot, event)
    assert found and f'pid = {program.pid()}' in found[0], found
    flight.verify(snapshot)
    # What it consists of is noted as soon as LTTng has written it.
    assert until(lambda: 'warning' not in flight.hak('report', snapshot).err)
    assert json.loads(flight.hak('report', snapshot, '--json').out)['lost']['doubts'] == []
    trigger = flight.trigger(condition)
    assert not trigger['armed'] and trigger['resumes'] > time.time()


def test_every_condition_of_the_catalogue_has_a_test(flight):
    flight.start()
    assert {trigger['name'] for trigger in flight.status()['triggers']} - {'pressure'} \
        == {*TROUBLES, *AFTER}


def test_nothing_wrong_takes_none(flight):
    flight.start()
    program = flight.program('shared_fail', 20000)
    program.trouble()
    program.end()
    time.sleep(1)
    assert flight.snapshots() == []
    assert sum(trigger['fired'] for trigger in flight.status()['triggers']) == 0


def test_a_storm_takes_one_snapshot_and_those_of_later(flight):
    flight.start()
    calm = flight.program('shared_fail', 100_000, **CAPPED, HAKMEM_TRACE='0', attached=False)
    before = time.monotonic()
    calm.trouble()
    alone = time.monotonic() - before
    program = flight.program('shared_fail', 100_000, **CAPPED)
    before = time.monotonic()
    program.trouble()
    took = time.monotonic() - before
    assert until(lambda: flight.trigger('shared_fail')['fired'] == 1)
    assert until(lambda: flight.snapshots(AFTER[1]))
    time.sleep(1)
    assert [len(flight.snapshots(cause)) for cause in ('', 'shared_fail', *AFTER)] == [3, 1, 1, 1]
    assert all(bytes_below(snapshot) < 8 << 20 for snapshot in flight.snapshots())
    # Patience: a few microseconds for each event and its messages.
    assert took < alone + 5, (took, alone)
    # What is rare is there still, whatever the storm has overwritten.
    path = flight.dump()
    assert events(path, 'process_start') and events(path, 'superslab_map')
    flight.verify(path)


def test_what_a_storm_led_to_is_in_later_snapshots_and_believed(flight):
    """At the first refusal no slab is idle: the cap seems to be too low."""
    flight.start()
    program = flight.program('stranded', 50000, **CAPPED)
    program.trouble()
    first, moment, second = map(flight.taken, ('shared_fail', *AFTER))
    for snapshot, phase in ((moment, 1), (second, 2)):
        told, = events(snapshot, 'aftermath')[-1:]
        assert f'phase = {phase},' in told
        dumps = [line for line in events(snapshot, 'statedump_begin') if 'DUMP_AFTERWARDS' in line]
        assert len(dumps) == phase
        flight.verify(snapshot)

    def causes(path: Path) -> list:
        told = json.loads(flight.hak('oom', path, '--json').out)['processes']
        process, = (each for each in told if each['pid'] == program.pid())
        return [verdict['cause'] for verdict in process['verdicts']]

    assert causes(first) == ['soft_cap']
    assert causes(second)[0] == causes(second.parent)[0] == 'stranded_empty'


def test_a_storm_that_lasts_takes_one_now_and_then(flight):
    flight.start('--every', 2)
    begin = time.monotonic()
    program = flight.program('shared_fail', 3000, **CAPPED)
    while time.monotonic() < begin + 6:
        program.trouble()
        time.sleep(0.01)
    assert 2 <= len(flight.snapshots('shared_fail')) <= 4
    assert until(lambda: flight.trigger('shared_fail')['fired']
                 == len(flight.snapshots('shared_fail')))


def test_held_off_one_condition_does_not_hold_off_another(flight):
    flight.start()
    storm = flight.program('shared_fail', 1000, **CAPPED)
    storm.trouble()
    assert until(lambda: flight.snapshots('shared_fail'))
    flight.program('double_free').trouble()
    assert until(lambda: flight.snapshots('double_free'))


def test_rotated_out_by_count(flight):
    flight.start('--keep', 3)
    flight.program('double_free')
    taken = [flight.dump(f'n{number}') for number in range(6)]
    assert until(lambda: flight.snapshots() == taken[-3:]), flight.snapshots()
    assert until(lambda: flight.status()['rotated_out'] == 3)


def test_rotated_out_by_size(flight):
    flight.start('--max-size', '1M')
    flight.program('write_after_free').trouble()
    first = flight.dump()
    # The database of a report goes with its snapshot.
    flight.hak('report', first)
    database = first.with_name(first.name + '.hak.sqlite')
    assert database.exists()
    newest = [flight.dump() for _ in range(10)][-1]
    assert until(lambda: sum(map(bytes_below, flight.snapshots())) < 1 << 20)
    assert newest in flight.snapshots() and first not in flight.snapshots()
    assert not database.exists()


def test_a_full_disk_holds_triggers_off_until_there_is_room(flight):
    if os.geteuid() != 0:
        pytest.skip('only root can mount a small disk')
    disk = flight.hak.cwd / 'disk'
    disk.mkdir()
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=6m,mode=700,uid=nobody', 'none', disk], check=True)
    try:
        flight.start('--output', disk, '--every', 1)
        program = flight.program('double_free')
        (disk / 'theirs').write_bytes(bytes(5 << 20))
        assert until(lambda: not flight.trigger('double_free')['armed'])
        status = flight.status()
        assert any('no room for a snapshot' in note for note in status['notes']), status
        assert status['code'] == 0
        program.trouble()
        time.sleep(1)
        assert sorted(path.name for path in disk.iterdir()) == ['theirs']
        # The story is still in memory.
        assert events(flight.dump('-o', flight.hak.cwd / 'elsewhere'), 'double_free')
        (disk / 'theirs').unlink()
        assert until(lambda: flight.trigger('double_free')['armed'])
        program.trouble()
        assert until(lambda: list(disk.glob('double_free-*')))
        snapshot, = disk.glob('double_free-*')
        settled(snapshot)
        flight.verify(snapshot)
        assert flight('stop').code == 0
    finally:
        subprocess.run(['umount', disk], check=True)
