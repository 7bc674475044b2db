"""Who was recorded: real programs that fork, execute one another, have threads with names."""

import json

from conftest import until
from running import SECONDS

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
        user.lttng('start', 'late')
        assert until(lambda: _slabs(user, process)), 'nothing is recorded'
    finally:
        process.communicate(timeout=SECONDS)
    user.lttng('destroy', 'late')
    told, = programs(user.hak, user.hak.cwd / 'late')
    assert told['name'].startswith('python3') and '-c' in told['command'], told


def _slabs(user, process) -> bool:
    listed = user.lttng('list', '--userspace')
    return 'hakmem:slab_active' in listed and process.poll() is None
