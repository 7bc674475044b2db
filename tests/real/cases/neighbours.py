"""Programs beside other preloaded libraries, in sandboxes, at real-time priorities, set-uid: what
stands around a program in production."""

import os
import shutil
from pathlib import Path

from harness import Box, Skip, case

PYTHON = "/usr/bin/python3"
# Sizes of all layers, threads, a fork and an exec.
BUSY = """
import os, subprocess, threading
def churn():
    kept = {}
    for i in range(20000):
        kept[i % 777] = bytes(i * 37 % 5000)
    big = [bytearray(200000 + i) for i in range(50)]
    print(sum(map(len, kept.values())), sum(map(len, big)))
threads = [threading.Thread(target=churn) for _ in range(3)]
for t in threads:
    t.start()
    t.join()
print(subprocess.run(["sort", "-r"], input=b"1\\n3\\n2\\n", capture_output=True).stdout)
if os.fork() == 0:
    churn()
    os._exit(0)
print(os.wait()[1])
"""


def beside(box: Box, library: str, *argv: object, **how) -> None:
    """With the other library in front of hakmem, and behind it."""
    for order in (f"{library}:$LD_PRELOAD", f"$LD_PRELOAD:{library}"):
        box.run("/bin/bash", "-c", f'LD_PRELOAD={order} exec "$@"', "-", *argv, **how)


def library(pattern: str) -> str:
    found = sorted(str(p) for p in Path("/usr/lib").glob(pattern))
    if not found:
        raise Skip(f"not installed: {pattern}")
    return found[0]


@case("php", "php")
def php(box: Box) -> None:
    """Its modules are opened with RTLD_DEEPBIND and free what the engine allocated."""
    script = box.folder / "script.php"
    script.write_text("""<?php
$kept = [];
for ($i = 0; $i < 60000; $i++) $kept[$i % 500] = str_repeat(chr(65 + $i % 26), $i * 31 % 3000);
echo md5(implode('', $kept)), "\\n";
echo strlen(json_encode(range(1, 50000))), "\\n";
foreach (get_loaded_extensions() as $name) echo $name, "\\n";
echo preg_replace_callback('/\\d+/', fn($m) => $m[0] * 2, 'a1b22c333'), "\\n";
if (class_exists('PDO')) {
    try { new PDO('none:'); } catch (PDOException $e) { echo $e->getMessage(), "\\n"; }
}
echo date('Y', 0), ' ', serialize(new DateTime('@86400')), "\\n";
""")
    box.run("php", "script.php")
    box.run("php", "-m")


@case("faketime", "faketime")
def faketime(box: Box) -> None:
    library_ = library("*/faketime/libfaketime.so.1")
    env = {"FAKETIME": "@2001-02-03 04:05:06"}
    beside(box, library_, "date", "-u", "+%Y-%m-%d", env=env)
    beside(box, library_, PYTHON, "-c", "import time; print(time.gmtime().tm_year)" + BUSY, env=env)
    box.run("faketime", "2001-02-03 04:05:06", "date", "+%Y-%m-%d")


@case("fakeroot", "fakeroot")
def fakeroot(box: Box) -> None:
    box.run("fakeroot", "--", "/bin/bash", "-c",
            "touch file; chown 123:456 file; stat -c '%u %g' file; id -u; "
            "tar --mtime=@0 -cf - file | tar -tvf -")
    box.run("fakeroot", "--", PYTHON, "-c", BUSY)


@case("eatmydata", "eatmydata")
def eatmydata(box: Box) -> None:
    """With a session daemon of root's or without; its open() waits for the loader."""
    box.run("eatmydata", PYTHON, "-c",
            "import os; fd = os.open('file', os.O_RDWR | os.O_CREAT)\n"
            "for i in range(200):\n    os.write(fd, bytes(1000)); os.fsync(fd)\n" + BUSY)
    beside(box, library("*/libeatmydata.so"), PYTHON, "-c", BUSY)


@case("proxychains", "proxychains4")
def proxychains(box: Box) -> None:
    """connect(), close() and getaddrinfo() are its own; nobody is there to be connected to."""
    (box.folder / "proxychains.conf").write_text(
        "strict_chain\nquiet_mode\nproxy_dns\ntcp_connect_time_out 500\n"
        "[ProxyList]\nsocks5 127.0.0.1 9\n")
    script = BUSY + """
import socket
for i in range(20):
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=2)
    except OSError as e:
        print(type(e).__name__)
"""
    box.run("proxychains4", "-q", "-f", "proxychains.conf", PYTHON, "-c", script, loud=True)


@case("stdbuf-setarch", "stdbuf", "setarch")
def stdbuf_setarch(box: Box) -> None:
    box.run("stdbuf", "-o0", "-e0", PYTHON, "-c", BUSY)
    box.run("setarch", "-R", PYTHON, "-c", BUSY)


@case("real-time", "chrt", "taskset")
def real_time(box: Box) -> None:
    """At a real-time priority on one CPU, where a helper that does not get to run must not be waited
    for."""
    if os.geteuid():
        raise Skip("a real-time priority needs root")
    for how in ("-f", "-r"):
        box.run("chrt", how, "10", "taskset", "-c", "0", PYTHON, "-c", BUSY)


@case("sandbox", "bwrap", "unshare")
def sandbox(box: Box) -> None:
    box.run("bwrap", "--dev-bind", "/", "/", "--unshare-all", "--die-with-parent", PYTHON, "-c",
            BUSY)
    box.run("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", PYTHON, "-c",
            BUSY + "print(os.getpid(), sorted(p for p in os.listdir('/proc') if p.isdigit()))")


@case("set-uid", "setpriv", "gcc")
def set_uid(box: Box) -> None:
    """What the caller's environment asks of hakmem is no matter of a program with more rights."""
    if os.geteuid():
        raise Skip("a set-uid program of root's needs root")
    program, source = box.folder / "program", box.folder / "program.c"
    source.write_text("#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
                      "int main(void) { void *p = malloc(5000000), *q = malloc(100);\n"
                      "printf(\"%d %d %d\\n\", geteuid(), !!p, !!q); free(p); free(q); }\n")
    link: list[object] = []
    if box.preload:
        for name in ("libhakmem.so", "libhakmem-lttng.so"):
            if (Path(box.preload).parent / name).exists():
                shutil.copy(Path(box.preload).parent / name, box.folder)
        link = ["-Wl,--no-as-needed", f"-L{box.folder}", "-lhakmem", f"-Wl,-rpath,{box.folder}"]
    box.prepare("gcc", "-O1", "-fno-builtin", source, "-o", program, *link)
    program.chmod(0o4755)
    for folder in (box.folder, *box.folder.parents[:2]):
        folder.chmod(0o755)
    loud = {"HAKMEM_FAIL_MAP": "1+", "HAKMEM_SS_MAP_TRACE": "1",
            "HAKMEM_SHARED_POOL_STAGE_STATS": "1", "HAKMEM_NO_SUCH_KNOB": "1"}
    box.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "-u", "LD_PRELOAD",
            *(f"{name}={value}" for name, value in loud.items()), "./program")


@case("daemon-closes-all")
def daemon_closes_all(box: Box) -> None:
    """As systemd's services and daemons of old do: two forks, all descriptors closed, files of its
    own under the lowest numbers, 2 among them, which no line of hakmem's may get into."""
    box.run(PYTHON, "-c", """
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
out = os.dup(1)
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
os.setsid()
child = os.fork()
if child:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
os.dup2(out, 200)
os.closerange(0, 200)
files = [os.open(f'file.{i}', os.O_RDWR | os.O_CREAT) for i in range(30)]
assert files == list(range(30)), files
for r in range(30):
    kept = [bytearray(3000 * i) for i in range(100)]
    assert libc.malloc(1 << 44) is None
    time.sleep(0.01)
    for fd in files:
        os.write(fd, b'data\\n')
sizes = {os.stat(f'file.{i}').st_size for i in range(30)}
os.write(200, f'{sizes} {sorted(os.listdir("/proc/self/fd"))[:5]}\\n'.encode())
os._exit(0)
""")
