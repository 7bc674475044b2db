"""Servers under load: nginx on a port of its own, PostgreSQL on a socket of its own."""

import glob
import http.client
import os
import random
import re
import shutil
import signal
import socket
import time
from pathlib import Path

from harness import HANG, PROGRAMS, Box, Output, Running, Trouble, case

NGINX = "/usr/sbin/nginx"
CONFIG = """
daemon off; pid nginx.pid; error_log error.log; worker_processes 2; {user}
events {{ worker_connections 256; }}
http {{
    access_log access.log; client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp;
    uwsgi_temp_path temp; scgi_temp_path temp;
    gzip on; gzip_min_length 100; gzip_types *; gzip_comp_level 6;
    server {{
        listen 127.0.0.1:{port}; root files;
        location /through/ {{ proxy_pass http://unix:{folder}/inner.sock:/; }}
        location = /hello {{ return 200 "hello $arg_name\\n"; }}
    }}
    server {{
        listen unix:{folder}/inner.sock; root files; sub_filter 'word' 'verb'; sub_filter_once off;
        sub_filter_types *;
    }}
}}
"""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def answers(port: int) -> bool:
    try:
        return fetch(port, "/hello")[0] == 200
    except OSError:
        return False


def load(box: Box, port: int, path: str, requests: int, *how: str) -> None:
    """Every request must be answered, with 200. The client is not what is tried here."""
    text = box.prepare("ab", "-q", "-s", HANG, "-c", "16", "-n", requests, *how,
                       f"http://127.0.0.1:{port}{path}").decode()
    said = dict(re.findall(r"^([A-Z][^:\n]*): +(\d+)", text, re.MULTILINE))
    if said.get("Complete requests") != str(requests) or said.get("Non-2xx responses"):
        raise Trouble(f"{path}: {text}")
    if said.get("Failed requests") != "0":
        raise Trouble(f"{path}: {said['Failed requests']} of {requests} requests failed")


@case("nginx", NGINX, "ab")
def nginx(box: Box) -> None:
    """Files plain and compressed, a proxy to itself; in between all workers are replaced."""
    port = free_port()
    numbers = random.Random(7)
    (box.folder / "files").mkdir()
    for name, size in (("small", 50), ("page", 9000), ("large", 700_000)):
        words = (f"word{numbers.randrange(1000)} " for _ in range(size // 8))
        (box.folder / "files" / name).write_text("".join(words))
    user = "user root;" if os.geteuid() == 0 else ""
    (box.folder / "nginx.conf").write_text(CONFIG.format(user=user, port=port, folder=box.folder))
    argv = [NGINX, "-p", str(box.folder), "-c", "nginx.conf", "-e", "error.log"]
    box.prepare(*argv, "-t")
    server = box.start(argv)
    try:
        server.until(lambda: answers(port), "nginx is not up")
        begin = time.monotonic()
        for turn in range(2):
            # A worker that leaves hangs up on who wants to stay.
            stay = ["-k"] if turn == 0 else []
            load(box, port, "/hello?name=a", 5000, *stay)
            load(box, port, "/page", 2000, "-H", "Accept-Encoding: gzip")
            load(box, port, "/through/page", 1000, *stay)
            load(box, port, "/through/large", 40, "-H", "Accept-Encoding: gzip")
            if turn == 0:
                server.process.send_signal(signal.SIGHUP)
        box.seconds += time.monotonic() - begin
        for path in ("/small", "/page", "/large", "/through/page", "/through/large",
                     "/hello?name=b", "/none"):
            status, body = fetch(port, path)
            box.outputs.append(Output(f"answer to {path}", b"%d %s" % (status, body)))
            status, body = fetch(port, path, **{"Accept-Encoding": "gzip"})
            box.outputs.append(Output(f"packed answer to {path}", b"%d %s" % (status, body)))
        server.process.send_signal(signal.SIGQUIT)
        _, errors = server.wait()
        box.errors.append(("nginx", errors.splitlines()))
        told = (box.folder / "error.log").read_text()
        if re.search(r"\[(alert|emerg|crit)\]", told):
            raise Trouble("error.log says:\n" + told[-1000:])
    finally:
        server.kill()


POSTGRES = max(glob.glob("/usr/lib/postgresql/*/bin"), default="/usr/lib/postgresql")


class Cluster:
    """A PostgreSQL of the case's own, run by an ordinary user: it refuses root."""

    def __init__(self, box: Box):
        self.box = box
        self.user: list[str] = []
        if os.geteuid() == 0:
            self.user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
            self.let_nobody_in()

    def let_nobody_in(self) -> None:
        folder = self.box.folder
        folder.parent.parent.parent.chmod(0o711)
        shutil.chown(folder, "nobody", "nogroup")
        if self.box.preload:
            # Where the library lies, an ordinary user may not look.
            for name in glob.glob(str(Path(self.box.preload).parent / "*.so")):
                shutil.copy(name, folder)
            self.box.preload = str(folder / Path(self.box.preload).name)

    def run(self, program: str, *words: object, **how) -> bytes:
        return self.box.run(*self.user, f"{POSTGRES}/{program}", *words,
                            env={"PGDATABASE": "postgres"}, **how)

    def start(self) -> Running:
        settings = {"listen_addresses": "", "unix_socket_directories": self.box.folder,
                    "fsync": "off", "log_min_messages": "fatal", "log_line_prefix": "",
                    "max_parallel_workers_per_gather": 2, "min_parallel_table_scan_size": 0,
                    "parallel_setup_cost": 0}
        words = [w for name, value in settings.items() for w in ("-c", f"{name}={value}")]
        server = self.box.start([*self.user, f"{POSTGRES}/postgres", "-D", "data", *words])
        server.until(self.is_ready, "postgres is not up")
        return server

    def is_ready(self) -> bool:
        """By its own file: whoever connects too early makes it complain."""
        state = self.box.folder / "data/postmaster.pid"
        return state.exists() and "ready" in state.read_text().split()


@case("postgresql", f"{POSTGRES}/initdb", f"{POSTGRES}/pgbench", "psql", "setpriv")
def postgresql(box: Box) -> None:
    """initdb, a bench whose sums must agree, queries that sort, hash and fork parallel workers."""
    cluster = Cluster(box)
    at = ["-h", str(box.folder), "-U", "postgres"]
    cluster.run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "--no-sync", "--locale=C",
                compare=False)
    server = cluster.start()
    try:
        cluster.run("pgbench", *at, "-i", "-q", "-s", "2", "-I", "dtGvp", compare=False,
                    loud=True)
        cluster.run("pgbench", *at, "-c", "4", "-j", "2", "-t", "400", "--random-seed=5",
                    "-n", compare=False, loud=True)
        cluster.run("psql", *at, "-X", "-q", "-v", "ON_ERROR_STOP=1",
                    stdin=(PROGRAMS / "queries.sql").read_bytes())
        server.process.send_signal(signal.SIGINT)
        _, errors = server.wait()
        box.errors.append(("postgres", errors.splitlines()))
    finally:
        server.kill()
