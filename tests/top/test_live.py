"""hak top beside programs that run: its numbers, its sessions, and what it survives."""

import os
import re
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest
import running
from conftest import CAPPED, dumped, inner, of, trouble
from running import SECONDS


def times(events: list[str], name: str) -> int:
    """How often, singly and in sums."""
    sums = (re.search(r' count = (\d+)', line) for line in running.named(events, f'{name}_sum'))
    return len(running.named(events, name)) + sum(int(found[1]) for found in sums)


def test_counts_are_those_of_a_recording_made_at_the_same_time(stage, users_daemon):
    top = stage.top('--json', '--interval', '0.2')
    top.live()
    program = stage.program('shared_fail', 4000, **CAPPED)
    trouble(program)
    # Most are told in sums, the last of which comes at a tick.
    top.until(lambda told: of(told, program).get('counts', {}).get('shared_fail', 0) > 3000)
    time.sleep(1)
    users_daemon.lttng('stop', users_daemon.session)
    events = running.events(stage.hak.cwd / 'theirs')
    refused = times(events, 'shared_fail')
    legacy = times(events, 'legacy_alloc')
    assert refused > 3000 and legacy >= refused
    assert running.named(events, 'shared_fail_sum') and running.named(events, 'legacy_alloc_sum')

    told = top.until(lambda told: of(told, program).get('counts', {}).get('legacy', 0) >= legacy)
    process = of(told, program)
    c6 = next(each for each in process['classes'] if each['cls'] == 6)
    assert told['lost'] == {'events': 0, 'packets': 0}
    assert process['ever'] == {'shared_fail': refused, 'legacy': legacy, 'ace_fail': 0}
    assert c6['ever'] == {'shared_fail': refused, 'legacy': legacy}
    assert process['name'] == 'trouble' and process['version']
    assert any(each['event'] == 'shared_fail' and 'FAIL_SOFT_CAP' in each['text']
               for each in told['failures'])


def test_without_a_daemon_it_starts_one_that_programs_find_and_leaves_nothing(stage):
    top = stage.top('--json', '--interval', '0.2')
    top.live()
    assert running.session_daemons(stage.hak.mark)
    program = stage.steady()
    told = top.until(lambda told: of(told, program).get('version') and
                     of(told, program)['rates']['acquires'] > 0)
    assert of(told, program)['memory']['rss'] > 1 << 20
    os.kill(inner(program), signal.SIGKILL)
    top.until(lambda told: of(told, program).get('ended', True))
    os.kill(top.pid(), signal.SIGTERM)
    top.process.communicate(timeout=SECONDS)
    assert not running.session_daemons(stage.hak.mark)


def test_it_outlives_the_session_daemon_and_finds_the_next(stage, users_daemon):
    top = stage.top('--json', '--interval', '0.2')
    program = stage.program('shared_fail')
    top.until(lambda told: dumped(told, program))
    os.kill(users_daemon.pid(), signal.SIGKILL)
    told = top.until(lambda told: told['state'] == 'ended')
    assert told['why'] and of(told, program)
    # No daemon is left: top starts one, and the program registers with it by itself.
    told = top.until(lambda told: told['state'] == 'live' and dumped(told, program))
    trouble(program)
    users_daemon.process.wait(timeout=SECONDS)


def test_any_name_and_the_flow_of_blocks_are_shown(stage):
    hostile = os.fsdecode(bytes(stage.hak.cwd) + b'/\xff\xfe"\n\x1b[2J')
    os.symlink(shutil.which('perl'), hostile)
    top = stage.top('--json', '--interval', '0.2', '--tier', 'flow')
    top.live()
    program = stage.steady(hostile)
    told = top.until(lambda told: of(told, program).get('rates', {}).get('blocks_drained', 0) > 0
                     and 'rss' in of(told, program)['memory'])
    assert of(told, program)['name'] == '\ufffd\ufffd"\n\x1b[2J'
    assert of(told, program)['rates']['blocks_refilled'] > 0


def test_what_a_killed_one_leaves_the_next_one_removes(stage, users_daemon):
    killed = stage.top('--json')
    killed.live()
    os.kill(killed.pid(), signal.SIGKILL)
    killed.process.wait(timeout=SECONDS)
    assert users_daemon.lttng('list').count('hak-top-') == 1
    stage.top('--json').live()
    assert users_daemon.lttng('list').count('hak-top-') == 1


def test_a_live_session_of_the_users_is_shown_and_its_end_is_told(stage, relay, users_daemon):
    users_daemon.lttng('create', 'mine', '--live=200000',
                       f'--set-url=net://127.0.0.1:{relay.control}:{relay.data}')
    users_daemon.lttng('enable-event', '--userspace', '--session', 'mine', 'hakmem:*')
    users_daemon.lttng('add-context', '--userspace', '--session', 'mine', '--type', 'vpid',
                       '--type', 'vtid', '--type', 'procname')
    unknown = stage.hak('top', '--json', f'{relay.url()}/host/nowhere/other')
    assert unknown.code == 3 and '/mine' in unknown.err, unknown.err

    top = stage.top('--json', '--interval', '0.2', f'{relay.url()}/host/{os.uname()[1]}/mine')
    users_daemon.lttng('start', 'mine')
    program = stage.program('shared_fail')
    top.until(lambda told: dumped(told, program))
    users_daemon.lttng('destroy', 'mine')
    told = top.until(lambda told: told['state'] == 'ended')
    assert told['why'] == 'the session has ended' and dumped(told, program)
    # The session was not its own, and so it makes none.
    assert users_daemon.session in users_daemon.lttng('list')


def test_a_session_is_found_by_its_name_where_the_relay_daemon_runs_here(
        relay, users_daemon, monkeypatch):
    from hak.live import feed

    users_daemon.lttng('create', 'mine', '--live',
                       f'--set-url=net://127.0.0.1:{relay.control}:{relay.data}')
    users_daemon.lttng('enable-event', '--userspace', '--session', 'mine', 'hakmem:*')
    monkeypatch.setattr(feed, 'DEFAULT_RELAY', relay.url())
    assert feed.resolve('mine').endswith('/mine')


def test_what_is_lost_is_told(stage, users_daemon):
    """A flood while nobody empties the buffers."""
    program = stage.program('shared_fail', 60_000, **CAPPED, HAKMEM_TELL_SINGLY='0')
    top = stage.top('--json', '--interval', '0.2')
    told = top.until(lambda told: dumped(told, program))
    assert told['lost'] == {'events': 0, 'packets': 0}
    consumer, = consumers(users_daemon)
    os.kill(consumer, signal.SIGSTOP)
    try:
        trouble(program)
    finally:
        os.kill(consumer, signal.SIGCONT)
    told = top.until(lambda told: told['lost']['events'] > 0)
    # What the events do not tell the next state dump does.
    told = top.until(lambda told: of(told, program)['ever']['legacy'] > 50_000)
    assert of(told, program)['counts']['legacy'] < 50_000
    c6 = of(told, program)['classes'][6]
    assert (c6['cls'], c6['active'], c6['cap'], c6['frozen']) == (6, 2, 2, 1)


def consumers(daemon: running.UsersDaemon) -> list[int]:
    children = Path(f'/proc/{daemon.pid()}/task').glob('*/children')
    return [int(pid) for each in children for pid in each.read_text().split()
            if Path(f'/proc/{pid}/comm').read_text().startswith('lttng-consumer')]


@pytest.mark.parametrize('arguments, code, says', [
    (['--interval', '0'], 2, 'interval'),
    (['--openmetrics', 'x'], 2, 'port'),
    (['--openmetrics', '256.0.0.1:80'], 3, 'listen'),
    (['net://127.0.0.1:9'], 3, 'no relay daemon answers'),
    (['--textfile', '/nowhere/x.prom', '--count', '1'], 3, '/nowhere'),
])
def test_what_cannot_be_done_gets_one_line(stage, arguments, code, says):
    result = stage.hak('top', *arguments)
    assert (result.code, len(result.notes())) == (code, 1), result.err
    assert says in result.err and 'Traceback' not in result.err


def test_a_port_in_use_is_named(stage):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = stage.hak('top', '--openmetrics', str(port))
    assert result.code == 3 and f'127.0.0.1:{port}' in result.err
