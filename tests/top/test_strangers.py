"""What others on the machine can do to a hak top: nothing, though its relay daemon listens."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import running
from conftest import Stage, inner
from running import ROOT, SECONDS

STRANGER = 54321
LISTS = 'import sys; from hak.live import reader; print(reader.sessions(sys.argv[1]))'
# Greets in the relay daemon's own words, and goes before anybody could ask who it was.
GREETS = '''
import socket, struct, sys
for port in map(int, sys.argv[1:]):
    for leaves in (False, True):
        with socket.create_connection(('127.0.0.1', port), timeout=300) as there:
            try:
                there.sendall(struct.pack('>QIIIII', 8, 10, 0, 2, 13, 0) * 100)
                while not leaves and (said := there.recv(4096)):
                    sys.exit(f'{port} says {said}')
            except (ConnectionResetError, BrokenPipeError):
                pass
print('turned away')
'''


@pytest.fixture
def roots_stage(tmp_path, mark):
    with running.a_machine(tmp_path, mark) as hak:
        stage = Stage(hak)
        yield stage
        stage.close()


def relay_of(stage) -> tuple[int, dict[str, int]]:
    """The pid of its relay daemon, and where that listens."""
    for pid in running._marked(stage.hak.mark):
        words = running._proc(pid, 'cmdline').decode().split('\0')
        if Path(words[0]).name == 'lttng-relayd':
            return pid, {word.split('=')[0].strip('-'): int(word.rpartition(':')[2])
                         for word in words if '-port=' in word}
    raise AssertionError('no relay daemon')


def files_of(relay: int) -> set[str]:
    folder = Path(os.readlink(f'/proc/{relay}/fd/1')).parent
    return {str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_dir()}


def python(prefix: list[str], code: str, *args) -> subprocess.CompletedProcess:
    return subprocess.run([*prefix, sys.executable, '-c', code, *map(str, args)], timeout=SECONDS,
                          env={**os.environ, 'PYTHONPATH': str(ROOT / 'analysis')},
                          capture_output=True, text=True, check=False)


def is_closed_to(stage, stranger: list[str]) -> None:
    top = stage.top('--json', '--interval', '0.2')
    top.live()
    relay, ports = relay_of(stage)
    before = files_of(relay)
    assert python(stranger, GREETS, *ports.values()).stdout == 'turned away\n'
    live = f'net://127.0.0.1:{ports["live-port"]}'
    listed = python(stranger, LISTS, live)
    assert listed.returncode != 0 and 'hak-top' not in listed.stdout
    # Who may, can; and the view goes on.
    listed = python([], LISTS, live)
    assert 'hak-top' in listed.stdout, listed.stderr
    program = stage.program('shared_fail')
    top.until(lambda told: any(each['pid'] == inner(program) for each in told['processes']))
    assert all('hak-top' in name for name in files_of(relay) - before if name.count('/') == 2)
    os.kill(top.pid(), signal.SIGTERM)
    top.process.communicate(timeout=SECONDS)


@pytest.mark.skipif(os.geteuid() != 0, reason='only root can be somebody else')
def test_a_user_s_is_closed_to_another(stage):
    is_closed_to(stage, running.as_user(STRANGER))


def test_root_s_is_closed_to_a_user(roots_stage):
    is_closed_to(roots_stage, running.as_user(STRANGER))


def test_nothing_is_written_by_root_for_a_user_s_session(roots_stage, user_hak):
    top = roots_stage.top('--json', '--interval', '0.2')
    top.live()
    relay, ports = relay_of(roots_stage)
    url = f'--set-url=net://127.0.0.1:{ports["control-port"]}:{ports["data-port"]}'
    with running.a_daemon(user_hak) as theirs:
        created = theirs._run('create', 'intruder', url)
        for command in (['enable-event', '--userspace', 'hakmem:*'], ['start']):
            theirs._run(*command)
        program = user_hak.launch('perl', '-e', '$|=1; print "ready\\n"; <STDIN>')
        assert program.stdout.readline() == 'ready\n'
        assert not any('intruder' in name for name in files_of(relay)), created.stderr
        program.communicate('\n', timeout=SECONDS)
        theirs._run('destroy', '--no-wait', 'intruder')
    os.kill(top.pid(), signal.SIGTERM)
    top.process.communicate(timeout=SECONDS)


def test_a_relay_daemon_without_its_gate_is_not_used(tmp_path, monkeypatch):
    from hak import paths
    from hak.errors import HakError
    from hak.live import relay

    nothing = tmp_path / 'libhak-gate.so'
    nothing.write_text('no library')
    monkeypatch.setattr(paths, 'gate', lambda: nothing)
    with pytest.raises(HakError, match='cannot be preloaded'):
        relay.start(tmp_path / 'relay')
    assert not (tmp_path / 'relay').exists()


def test_a_client_of_the_metrics_that_goes_leaves_no_word(stage):
    top = stage.top('--openmetrics', '0', '--interval', '0.2')
    port = int(top.process.stderr.readline().rpartition(':')[2].partition('/')[0])
    reset = bytes((1, 0, 0, 0, 0, 0, 0, 0))   # linger 0: what was on its way is reset
    for request in (b'', b'GET', b'GET /metrics HTTP/1.1\r\n\r\n' * 50, b'\xff\0\r\n\r\n',
                    b'GET /' + b'x' * 70_000, b'GET / HTTP/9\r\n\r\n'):
        for _ in range(20):
            with socket.create_connection(('127.0.0.1', port), timeout=SECONDS) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                client.sendall(request)
    os.kill(top.pid(), signal.SIGTERM)
    assert top.process.communicate(timeout=SECONDS) == ('', '')


def test_more_clients_of_the_metrics_than_there_are_places_are_closed_not_kept():
    from hak.live import server

    with server.serving(('127.0.0.1', 0), server.Published()) as address:
        host, _, port = address.partition(':')
        clients = [socket.create_connection((host, int(port)), timeout=SECONDS)
                   for _ in range(server.CLIENTS + 1)]
        assert clients[-1].recv(1) == b''
        for client in clients:
            client.close()

        def served() -> bool:
            with socket.create_connection((host, int(port)), timeout=SECONDS) as client:
                client.sendall(b'GET /metrics HTTP/1.0\r\n\r\n')
                return b'503' in client.recv(100)

        assert running.until(served)
