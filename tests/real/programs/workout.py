"""Threads, subprocesses, forks, json, sqlite3, ctypes and large containers."""

import ctypes
import hashlib
import json
import multiprocessing
import random
import re
import sqlite3
import subprocess
import sys
import threading
import zlib


def containers():
    rng = random.Random(42)
    table = {f"key-{i}": [i, str(i), (i, i + 1)] for i in range(100_000)}
    for i in rng.sample(range(100_000), 60_000):
        del table[f"key-{i}"]
    rows = sorted((v[1], k) for k, v in table.items())
    table.update((f"again-{i}", {"n": i}) for i in range(30_000))
    numbers = list(range(1_000_000))
    rng.shuffle(numbers)
    numbers.sort()
    return len(table), rows[0], rows[-1], sum(numbers[::7])


def documents():
    rng = random.Random(7)
    tree = {"list": [{"n": i, "t": "x" * rng.randrange(200), "f": i / 3} for i in range(20_000)]}
    text = json.dumps(tree, sort_keys=True)
    again = json.dumps(json.loads(text), sort_keys=True)
    words = re.findall(r'"t": "(x{50,60})"', text)
    return text == again, len(text), len(words), hashlib.sha256(text.encode()).hexdigest()


def threads():
    results, lock = {}, threading.Lock()

    def work(n):
        data = b"".join(bytes([(i * n) & 255]) * (i % 50) for i in range(20_000))
        packed = zlib.compress(data, 6)
        with lock:
            results[n] = (len(packed), zlib.crc32(zlib.decompress(packed)))

    for _ in range(3):
        started = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for t in started:
            t.start()
        for t in started:
            t.join()
    return sorted(results.items())


def database():
    db = sqlite3.connect(":memory:")
    db.execute("create table t(id integer primary key, name text, value real)")
    db.executemany("insert into t values (?, ?, ?)",
                   ((i, f"name {i % 997}", i * 0.5) for i in range(50_000)))
    db.execute("create index by_name on t(name)")
    return db.execute("select name, count(*), sum(value) from t group by name "
                      "order by 3 desc, 1 limit 3").fetchall()


def square_sum(n):
    return sum(i * i for i in range(n)), [str(i) for i in range(n % 100)][-1:]


def processes():
    context = multiprocessing.get_context("fork")
    with context.Pool(4) as pool:
        forked = pool.map(square_sum, range(0, 20_000, 400))
    run = [subprocess.run([sys.executable, "-c", f"print('x' * {i})"], capture_output=True,
                          check=True).stdout for i in range(10)]
    return forked[-1], [len(x) for x in run]


def foreign():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.realloc.restype = ctypes.c_void_p
    libc.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    blocks = [libc.malloc(i) for i in range(1, 3000)]
    for i, block in enumerate(blocks, 1):
        ctypes.memset(block, i & 255, i)
    blocks = [libc.realloc(block, i * 2) for i, block in enumerate(blocks, 1)]
    good = all(ctypes.string_at(block, i) == bytes([i & 255]) * i
               for i, block in enumerate(blocks, 1))
    for block in blocks:
        libc.free(block)
    return good


for part in (containers, documents, threads, database, processes, foreign):
    print(part.__name__, part(), flush=True)
