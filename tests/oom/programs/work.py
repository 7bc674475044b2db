"""What programs in Python do with memory: work.py WHAT. Says when half of it is over and when all
is, and waits for a line each time.

Objects below 512 bytes are in arenas that Python maps itself, unless PYTHONMALLOC=malloc.
"""

import ctypes
import json
import mmap
import os
import queue
import sys
import threading
import time

kept: list = []
cache: dict = {}
asleep: list = []
C = ctypes.CDLL(None)
C.malloc.restype = C.realloc.restype = ctypes.c_void_p
C.free.argtypes = [ctypes.c_void_p]


def for_seconds(seconds: float, step, every: float = 0.01) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        step()
        time.sleep(every)


def c_leak() -> None:
    """An extension that forgets what it has allocated, in a program that does other things too."""
    def step() -> None:
        for _ in range(40):
            C.memset(ctypes.c_void_p(C.malloc(1000)), 1, 1000)
        for block in [C.malloc(500) for _ in range(200)]:
            C.free(block)
    for_seconds(6, step)


def sessions() -> None:
    """Objects that nobody removes from a list."""
    def step() -> None:
        kept.extend({'user': str(n), 'since': time.time()} for n in range(150))
        [bytes(300) for _ in range(500)]
    for_seconds(6, step)


def dict_cache() -> None:
    """It holds so many, and what is new takes the place of what is old."""
    def step() -> None:
        for _ in range(20_000):
            cache[int.from_bytes(os.urandom(4), 'little') % 60_000] = bytes(600)
    for_seconds(2.5, step)


def pipeline() -> None:
    """Three threads make, four take, no faster than that."""
    line: queue.Queue = queue.Queue(500)

    def make() -> None:
        for n in range(150_000):
            line.put(bytes(600 + n % 400))
        line.put(None)

    def take() -> None:
        while line.get() is not None:
            pass
        line.put(None)
    threads = [threading.Thread(target=make)] + [threading.Thread(target=take) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def drains() -> None:
    """A queue gets long while its reader is busy, and is empty then."""
    for _ in range(2):
        for _ in range(60_000):
            kept.append(bytes(700))
            if len(kept) % 6000 == 0:
                time.sleep(0.02)
        while kept:
            kept.pop()
            if len(kept) % 6000 == 0:
                time.sleep(0.02)


def load() -> None:
    """Reads data and is done."""
    if not kept:
        text = json.dumps([{'id': n, 'name': f'name {n}' * 30} for n in range(60_000)])
        kept.append(json.loads(text))
    for_seconds(2, lambda: json.dumps(kept[0][:500]))


def burst() -> None:
    for_seconds(0.7, lambda: [bytes(600) for _ in range(1000)])
    many = [bytes(1000) for _ in range(100_000)]
    time.sleep(0.3)
    del many
    for_seconds(0.7, lambda: [bytes(600) for _ in range(1000)])


def maps() -> None:
    """A program that has memory of its own from the system, and takes more and more."""
    grow_by_maps(mmap.MAP_PRIVATE)


def shares() -> None:
    """The same with memory that its children would have, too."""
    grow_by_maps(mmap.MAP_SHARED)


def grow_by_maps(kind: int) -> None:
    def step() -> None:
        area = mmap.mmap(-1, 1 << 20, flags=kind | mmap.MAP_ANONYMOUS)
        area.write(b'x' * (1 << 20))
        kept.append(area)
    for_seconds(4, step, 0.1)


def forks() -> None:
    for _ in range(60):
        pid = os.fork()
        if pid == 0:
            kept.append([bytes(600) for _ in range(2000)])
            os._exit(0)
        os.waitpid(pid, 0)


def in_thread(work) -> None:
    """One that goes on to sleep when its work is done."""
    done = threading.Event()

    def run() -> None:
        work()
        done.set()
        threading.Event().wait()
    threading.Thread(target=run, daemon=True).start()
    done.wait()


def lent() -> None:
    """A thread allocates and sleeps; what it has made is freed by another."""
    if not asleep:
        in_thread(lambda: asleep.extend(C.malloc(300) for _ in range(150_000)))
        for block in asleep:
            C.free(block)
    for_seconds(2, lambda: [bytes(600) for _ in range(100)])


def thin() -> None:
    """Of what one request has allocated, a little is kept, here and there."""
    if not kept:
        kept.extend(bytes(1000) for _ in range(80_000))
        kept[:] = kept[::40]
    for_seconds(2, lambda: [bytes(3000) for _ in range(100)])


def pool() -> None:
    """Threads that have had work, and wait for more."""
    def work() -> None:
        for size in (600, 1000, 1200, 1500, 2000):
            blocks = [C.malloc(size) for _ in range(100)]
            for block in blocks:
                C.free(block)
    if not kept:
        kept.extend(in_thread(work) for _ in range(150))
    for_seconds(2, lambda: [bytes(600) for _ in range(100)])


def odd_size() -> None:
    for _ in range(700_000):
        C.malloc(17)
    time.sleep(1)


def strings() -> None:
    """Until there is no memory."""
    for _ in range(3000):
        kept.append(bytes(100_000))


def own_limit() -> None:
    """More than the heap may have; whoever asks for it says so."""
    for _ in range(400):
        if not C.malloc(1 << 20):
            sys.exit('no memory')


def doubles() -> None:
    """A buffer that is made twice as large whenever it is full."""
    text = bytearray()
    for _ in range(400):
        text += bytes(100_000)
    for_seconds(1, lambda: [bytes(600) for _ in range(100)])


def twice() -> None:
    block = C.malloc(200)
    C.free(block)
    C.free(block)


def after_free() -> None:
    blocks = [C.malloc(200) for _ in range(1000)]
    for block in blocks:
        C.free(block)
    for block in blocks:
        C.memset(ctypes.c_void_p(block), 7, 200)
    for _ in range(1000):
        C.malloc(200)


def main() -> None:
    work = globals()[sys.argv[1]]
    for word in ('half', 'done'):
        work()
        print(word, flush=True)
        sys.stdin.readline()


if __name__ == '__main__':
    main()
