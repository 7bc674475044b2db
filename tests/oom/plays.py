"""How a program is made to do the first half of what it does, the second, and to end."""

import shlex
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from running import SECONDS, until


class Play:
    """What it does not need it leaves as it is."""

    def prepare(self, folder: Path, hak) -> None:
        """Before it begins; what is run by `run` is not on hakmem."""

    def first(self, life) -> None:
        """Returns when half is over, or the program."""

    def second(self, life) -> None:
        pass

    def end(self, life) -> None:
        """Of its own accord."""
        life.until_ended()


class Lines(Play):
    """Says `half` and `done`, and waits for a line each time."""

    def first(self, life) -> None:
        life.until_said('half')

    def second(self, life) -> None:
        life.tell('')
        life.until_said('done')

    def end(self, life) -> None:
        life.tell('')
        life.until_ended()


@dataclass(frozen=True)
class Alone(Play):
    """Reads nothing, and ends when it has done what it is for. `make`: shell, before it begins."""
    make: str = ''
    half: float = 1.0

    def prepare(self, folder: Path, hak) -> None:
        if self.make:
            run(hak, 'bash', '-ec', f'cd {shlex.quote(str(folder))}; {self.make}')

    def first(self, life) -> None:
        until(lambda: not life.alive(), seconds=self.half)

    def second(self, life) -> None:
        life.until_ended()


@dataclass(frozen=True)
class Sql(Play):
    """sqlite3 on a pipe."""
    before: str
    after: str

    def first(self, life) -> None:
        life.tell(f'{self.before}\n.shell echo half')
        life.until_said('half')

    def second(self, life) -> None:
        life.tell(f'{self.after}\n.shell echo done')
        life.until_said('done')

    def end(self, life) -> None:
        life.tell('.quit')
        life.until_ended()


@dataclass(frozen=True)
class Client(Play):
    """A server, and what its clients do: shell, in the server's folder."""
    make: str = ''
    ready: str = 'true'
    before: str = 'true'
    after: str = 'true'

    def prepare(self, folder: Path, hak) -> None:
        if self.make:
            (folder / 'port').write_text(str(free_port()))
            run(hak, 'bash', '-ec', f'cd {shlex.quote(str(folder))}; {self.make}')

    def first(self, life) -> None:
        assert until(lambda: self._ask(life, self.ready) == 0 or not life.alive())
        self._ask(life, self.before)

    def second(self, life) -> None:
        self._ask(life, self.after)

    def end(self, life) -> None:
        life.terminate()
        life.until_ended()

    def _ask(self, life, script: str) -> int:
        return subprocess.run(['bash', '-c', script], cwd=life.folder, timeout=SECONDS,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode


def run(hak, *argv) -> None:
    done = subprocess.run([*hak.prefix, *map(str, argv)], cwd='/', stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def free_port() -> int:
    with socket.socket() as any_one:
        any_one.bind(('127.0.0.1', 0))
        return any_one.getsockname()[1]


# ---- redis ----

REDIS = ('redis-server', '--port', '0', '--unixsocket', '{folder}/redis', '--unixsocketperm', '777',
         '--dir', '{folder}', '--save', '', '--daemonize', 'no', '--loglevel', 'warning')


def redis(before: str, after: str) -> Client:
    return Client(ready='redis-cli -s redis ping | grep PONG', before=before, after=after)


def keys(begin: int, end: int, size: int) -> str:
    """Sets such keys."""
    return ("redis-cli -s redis eval \"for i=" f"{begin},{end} do redis.call('set', 'k'..i, "
            f"string.rep('x', {size})) end\" 0")


# ---- nginx ----

NGINX = ('nginx', '-p', '{folder}', '-c', '{folder}/conf', '-e', '{folder}/log')
NGINX_CONF = '''
cat >conf <<END
daemon off; worker_processes 2; pid $PWD/pid; error_log $PWD/log;
events { worker_connections 512; }
http { access_log off; root $PWD; gzip on; gzip_min_length 10; gzip_types *;
       client_body_temp_path $PWD/a; proxy_temp_path $PWD/b; fastcgi_temp_path $PWD/c;
       uwsgi_temp_path $PWD/d; scgi_temp_path $PWD/e;
       server { listen 127.0.0.1:$(cat port); } }
END
seq 20000 >page.html
'''
AB = 'ab -q -n {n} -c 40 -H "Accept-Encoding: gzip" http://127.0.0.1:$(cat port)/page.html'


def nginx(requests: int) -> Client:
    load = AB.format(n=requests)
    return Client(NGINX_CONF, AB.format(n=40), load, load)


# ---- PostgreSQL ----

POSTGRES_BIN = max(Path('/usr/lib/postgresql').glob('*/bin'), default=Path('/usr/bin'))
POSTGRES = (f'{POSTGRES_BIN}/postgres', '-D', '{folder}/data', '-k', '{folder}', '-c',
            'listen_addresses=', '-c', 'fsync=off', '-c', 'autovacuum=off')
PSQL = f'{POSTGRES_BIN}/psql -h $PWD -U nobody -d postgres -Xqt'


def postgres(before: str, after: str) -> Client:
    return Client(f'{POSTGRES_BIN}/initdb -D data -U nobody -A trust --no-sync >/dev/null',
                  f'{PSQL} -c "select 1"', before, after)


def sql(text: str) -> str:
    return f'{PSQL} -c "{text}"'


