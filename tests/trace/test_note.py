"""What `hak record` knows of a recording's end its readers know too."""

import json
import os

NOTE = 'hak-recording.json'
# Ends the session daemon that records it, in the middle of its work.
KILLER = '''
import os, signal, time
x = [bytearray(300) for _ in range(100000)]
time.sleep(2.5)
for name in os.listdir('/proc'):
    if name.isdigit():
        try:
            command = open(f'/proc/{name}/cmdline', 'rb').read()
            mine = b'MARK' in open(f'/proc/{name}/environ', 'rb').read()
        except OSError:
            continue
        if mine and (b'lttng-sessiond' in command or b'lttng-consumerd' in command):
            os.kill(int(name), signal.SIGKILL)
del x
y = [bytearray(700) for _ in range(100000)]
'''


def test_a_recording_that_ended_in_order_says_so(hak):
    assert hak('record', '-o', 'trace', '--', 'ls', '/').code == 0
    note = json.loads((hak.cwd / 'trace' / NOTE).read_text())
    assert note['trouble'] == []
    for name, told in note['files'].items():
        assert (hak.cwd / 'trace' / name).stat().st_size == told['size']
    assert hak('verify', 'trace').out.startswith('proved')


def test_of_a_recording_whose_daemon_died_nothing_is_proved(user_hak):
    hak = user_hak
    script = hak.cwd / 'killer.py'
    script.write_text(KILLER.replace('MARK', hak.mark))
    result = hak('record', '--private', '-o', 'trace', '--', '/usr/bin/python3', script)
    assert 'incomplete' in result.err, result.err
    assert json.loads((hak.cwd / 'trace' / NOTE).read_text())['trouble']
    report, verify = hak('report', 'trace', '--json'), hak('verify', 'trace')
    told = json.loads(report.out)
    assert told['lost']['uncounted'] and told['lost']['doubts'], told['lost']
    assert any('incomplete' in text for text in told['warnings'])
    assert verify.code == 0 and 'violation' in verify.out and 'not proved' in verify.out, verify.out


def test_a_file_that_the_note_names_and_is_not_there_is_told(hak):
    first, second = sorted(os.sched_getaffinity(0))[:2]
    both = f'taskset -c {first} ls /; taskset -c {second} ls /'
    assert hak('record', '-o', 'trace', '--', 'sh', '-c', both).code == 0
    folder = next((hak.cwd / 'trace').rglob('metadata')).parent
    for path in folder.rglob(f'*_{second}*'):   # all of one CPU: nothing else tells
        path.unlink()
    report = hak('report', 'trace', '--json')
    told = json.loads(report.out)
    assert told['lost']['uncounted'], told['lost']
    assert {row['stream'] for row in told['lost']['intervals']} >= {f'lifecycle_{second}'}
    assert 'not proved' in hak('verify', 'trace').out
