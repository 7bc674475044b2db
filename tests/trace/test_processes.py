"""Who was recorded: real programs that fork, execute one another, have threads with names."""

import grp
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from conftest import events, named, until
from running import SECONDS, Hak

FORKING = ('$| = 1; for my $n (1 .. 3) { next if fork; my @l = map { "x" x $_ } 1 .. 2000; exit } '
           'wait for 1 .. 3;')
# Its first thread does nothing that is recorded while another, of another name, works.
POOL = '''
import multiprocessing, threading
def work(n):
    return sum(len(bytes(n * 700 % 2000)) for n in range(20000))
def named():
    open('/proc/thread-self/comm', 'w').write('worker')
    with multiprocessing.get_context('fork').Pool(2) as pool:
        print(sum(pool.map(work, range(4))))
        pool.close()
        pool.join()
thread = threading.Thread(target=named)
thread.start()
thread.join()
'''
# Says it is ready, and works on a thread called otherwise until its stdin ends.
SERVER = '''
import sys, threading, time
def work():
    open('/proc/thread-self/comm', 'w').write('other')
    while True:
        x = [bytes(n % 2000) for n in range(20000)]
        time.sleep(0.005)
threading.Thread(target=work, daemon=True).start()
print('ready', flush=True)
sys.stdin.read()
'''


def programs(hak, trace='trace') -> list[dict]:
    return json.loads(hak('report', '--json', trace).out)['processes']


def by_pid(listed: list[dict]) -> dict[int, list[dict]]:
    found: dict[int, list[dict]] = {}
    for each in listed:
        found.setdefault(each['pid'], []).append(each)
        assert each['program'] == len(found[each['pid']])
    return found


def test_a_pipeline_of_four_is_four_processes_and_their_shell(hak):
    command = ['sh', '-c', 'seq 1000 | sort -n | tail -n 1 | cat; true']
    assert hak('record', '-o', 'trace', '--', *command).code == 0
    (shell,), *others = by_pid(programs(hak)).values()
    assert (shell['name'], shell['command'], shell['parent']) == ('sh', ' '.join(command), 0)
    assert sorted([each['name'] for each in chain] for chain in others) == [
        ['sh', name] for name in ('cat', 'seq', 'sort', 'tail')]
    assert all(each['ppid'] == shell['pid'] for chain in others for each in chain)
    assert [chain[0]['parent'] for chain in others] == [shell['pid']] * 4
    assert {chain[1]['command'] for chain in others} == {'seq 1000', 'sort -n', 'tail -n 1', 'cat'}


def test_what_a_process_executes_is_told_in_order(hak):
    assert hak('record', '-o', 'trace', '--', 'sh', '-c', 'exec env A=1 perl -e "exec q(true)"'
               ).code == 0
    told, = by_pid(programs(hak)).values()
    assert [each['name'] for each in told] == ['sh', 'env', 'perl', 'true']
    assert len({each['ppid'] for each in told}) == 1
    assert all(one['end'] <= next['begin'] for one, next in zip(told, told[1:]))


def test_forked_children_are_listed_once_with_the_knobs_that_they_run_under(hak):
    result = hak('record', '-o', 'trace', '--', 'perl', '-e', FORKING,
                 env={'HAKMEM_FAIL_MAP': '1%', 'HAKMEM_SS_LG': '20'})
    assert result.code == 0, result.err
    (parent,), *children = by_pid(programs(hak)).values()
    assert len(children) == 3
    for child, in children:
        assert (child['name'], child['parent']) == ('perl', parent['pid'])
        assert child['settings'] == {'HAKMEM_FAIL_MAP': '1%', 'HAKMEM_SS_LG': '20',
                                     'HAKMEM_TRACE': '1'}


def test_a_process_is_called_what_its_first_thread_is(hak):
    """multiprocessing forks on a thread, and the tracer's threads come before it in the child."""
    result = hak('record', '-o', 'trace', '--', '/usr/bin/python3', '-c', POOL,
                 env={'PYTHONMALLOC': 'malloc'})
    assert result.code == 0, result.err
    (parent,), *children = by_pid(programs(hak)).values()
    assert parent['name'].startswith('python3') and parent['command'].startswith('/usr/bin/python3')
    assert len(children) == 2
    # In the child, the thread that forked is the first.
    assert {(child['name'], child['parent']) for child, in children} == {('worker', parent['pid'])}


def test_a_late_session_learns_it_from_whichever_thread_speaks(users_daemon, tmp_path):
    user = users_daemon
    process = user.hak.launch('/usr/bin/python3', '-c', SERVER,
                              env={'PYTHONMALLOC': 'malloc', 'HAKMEM_TRACE': 'auto'})
    try:
        assert process.stdout.readline() == 'ready\n'
        user.lttng('create', 'late', f'--output={user.hak.cwd}/late')
        user.lttng('enable-event', '--userspace', '--session', 'late', 'hakmem:*')
        user.lttng('add-context', '--userspace', '--session', 'late', '--type', 'vpid',
                   '--type', 'vtid', '--type', 'procname')
        # What is said before the session has started is lost, and said again later.
        assert until(lambda: _recorded(user)), 'nothing is recorded'
    finally:
        process.communicate(timeout=SECONDS)
    user.lttng('destroy', 'late')
    told, = programs(user.hak, user.hak.cwd / 'late')
    assert told['name'].startswith('python3') and '-c' in told['command'], told


def _recorded(user) -> bool:
    user.lttng('start', 'late')
    time.sleep(1)
    user.lttng('stop', 'late')
    trace = user.hak.cwd / 'late'
    return any(trace.rglob('metadata')) and bool(named(events(trace), 'process_start'))


NGINX = '''
daemon off; master_process on; worker_processes 2; pid nginx.pid; error_log error.log; {user}
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
    uwsgi_temp_path t4; scgi_temp_path t5;
    server {{ listen unix:{folder}/socket; location / {{ return 200 "fine\\n"; }} }}
}}
'''


@pytest.fixture(params=['root', 'a user'])
def who(request) -> Hak:
    if request.param == 'root' and os.geteuid() != 0:
        pytest.skip('only root can change the user of its workers')
    return request.getfixturevalue('hak' if request.param == 'root' else 'user_hak')


def test_the_workers_of_a_server_that_writes_a_title_and_changes_its_user_are_there(who):
    """The title goes over the environment, by which they would find the session daemon."""
    folder = who.cwd / 'nginx'
    subprocess.run([*who.prefix, 'mkdir', '-m', '755', folder], check=True)
    nobody = pwd.getpwnam('nobody')
    user = f'user nobody {grp.getgrgid(nobody.pw_gid).gr_name};' if not who.prefix else ''
    (folder / 'conf').write_text(NGINX.format(user=user, folder=folder))
    recording = who.start('record', '-o', 'trace', '--', '/usr/sbin/nginx', '-p', folder, '-c',
                          'conf', '-e', 'error.log')
    assert until(lambda: _answers(folder / 'socket')), (folder / 'error.log').read_text()
    os.kill(int((folder / 'nginx.pid').read_text()), signal.SIGQUIT)
    _, notes = recording.communicate(timeout=SECONDS)
    assert recording.returncode == 0, notes
    (master,), *workers = by_pid(programs(who)).values()
    assert len(workers) == 2, notes
    for worker, in workers:
        assert (worker['name'], worker['parent']) == ('nginx', master['pid'])


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.settimeout(SECONDS)
            client.connect(str(path))
            client.sendall(b'GET / HTTP/1.0\r\n\r\n')
            return b'fine' in client.makefile('rb').read()
        except OSError:
            return False


CLONING = '''
import ctypes, os, sys
def work():
    return len([bytes(n % 2000) for n in range(20000)])
work()
for number in range(2):
    child = ctypes.CDLL(None).syscall(56, 17, 0, 0, 0, 0)
    if child == 0:
        work()
        os._exit(0)
    os.waitpid(child, 0)
    print(child)
'''


def test_who_ran_on_hakmem_and_was_not_recorded_is_said(hak):
    result = hak('record', '-o', 'trace', '--', '/usr/bin/python3', '-c', CLONING,
                 env={'PYTHONMALLOC': 'malloc'})
    assert result.code == 0, result.err
    children = result.out.split()
    said = f'2 processes ran on hakmem and were not recorded: python3 ({", ".join(children)}); a '
    assert said in result.err
    assert len(programs(hak)) == 1
    for command in ('report', 'oom', 'timeline', 'verify'):
        assert said in hak(command, 'trace').err, command


def test_also_what_does_not_load_the_tracer(hak):
    result = hak('record', '-o', 'trace', '--', 'sh', '-c',
                 'HAKMEM_TRACE=0 perl -e "fork; wait"; true')
    assert result.code == 0, result.err
    assert '2 processes ran on hakmem and were not recorded: perl (' in result.err
    assert [each['name'] for each in programs(hak)] == ['sh']


@pytest.mark.parametrize('script', [
    'seq 9 | cat; true', 'for n in 1 2 3; do (true | false) & done; wait',
    'exec env LD_PRELOAD= true'])
def test_of_who_was_recorded_nothing_is_said(hak, script):
    result = hak('record', '-o', 'trace', '--', 'sh', '-c', script)
    assert result.code == 0, result.err
    assert 'not recorded' not in result.err


HELPED = '''
for i in 1 2 3; do (echo $i | cat | wc -c); done
perl -e 'our @l; push @l, "x" x 3000 for 1 .. 20000'
'''


def test_helpers_get_one_line(hak):
    assert hak('record', '-o', 'trace', '--', 'sh', '-c', HELPED).code == 0
    answer = json.loads(hak('oom', 'trace', '--json').out)
    others = [each['name'] for each in answer['processes'] if not each['helper']]
    assert others == ['sh', 'perl'], answer
    lines = hak('oom', 'trace').out.splitlines()
    assert len(lines) <= 2 and lines[-1].endswith(' did nothing of note'), lines
    assert re.search(r'helpers \(.*\bcat ×3\b.*\)', lines[-1])
    assert {each['name'] for each in programs(hak) if not each['helper']} == {'perl'}


def test_who_is_alone_or_failed_is_no_helper(hak):
    assert hak('record', '-o', 'alone', '--', 'true').code == 0
    assert [each['helper'] for each in programs(hak, 'alone')] == [False]
    script = 'perl -e "our @l; push @l, q(x) x 3000 for 1 .. 20000"; HAKMEM_FAIL_MAP=30% ls / >&2'
    assert hak('record', '-o', 'failed', '--', 'sh', '-c', f'{script}; true').code == 0
    assert {each['name']: each['helper'] for each in programs(hak, 'failed')} == {
        'sh': True, 'perl': False, 'ls': False}
