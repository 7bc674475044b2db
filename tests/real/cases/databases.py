"""Databases: sqlite3 in one thread, redis as a server under load."""

from harness import PROGRAMS, Box, Running, Trouble, case


@case("sqlite3", "sqlite3")
def sqlite3(box: Box) -> None:
    box.run("sqlite3", "data.db", stdin=(PROGRAMS / "rows.sql").read_bytes())
    box.keep("data.db")


SOCKET = "redis.sock"  # in the case's own directory: no port to find, none to share


def save_in_background(box: Box, server: Running, client: list[str]) -> None:
    """The server forks; its child walks the whole heap and allocates on the way."""
    def state() -> bytes:
        return box.run(*client, "info", "persistence", compare=False)

    box.run(*client, "bgsave", compare=False)
    server.until(lambda: b"rdb_bgsave_in_progress:0" in state(), "BGSAVE is not done")
    if b"rdb_last_bgsave_status:ok" not in state():
        raise Trouble("BGSAVE failed")


def resident_kb(server: Running) -> int:
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def commands(kind: str) -> bytes:
    lines = []
    for i in range(5000):
        value = f"{i}-" + "v" * (i * 37 % 3000)
        lines += {"fill": [f"SET k{i} {value}", f"HSET h{i % 50} f{i} {value[:60]}",
                           f"RPUSH l{i % 20} {value[:20]}", f"ZADD z {i * 7919 % 5003} m{i}"],
                  "read": [f"GET k{i}", f"HGET h{i % 50} f{i}"]}[kind]
    if kind == "fill":
        lines += [f"DEL k{i}" for i in range(0, 5000, 3)]
        lines += [f"APPEND k{i} {'w' * 100}" for i in range(1, 5000, 3)]
    else:
        lines += ["LRANGE l3 0 -1", "ZRANGE z 0 -1 WITHSCORES", "HLEN h7"]
    return "\n".join(lines).encode() + b"\n"


@case("redis", "redis-server", "redis-cli", "redis-benchmark")
def redis(box: Box) -> None:
    server = box.start(["redis-server", "--port", "0", "--unixsocket", SOCKET, "--save", "",
                        "--logfile", "server.log"])
    try:
        server.until((box.folder / SOCKET).exists, "redis-server does not listen")
        client = ["redis-cli", "-s", SOCKET]
        box.run(*client, stdin=commands("fill"))
        box.run("redis-benchmark", "-s", SOCKET, "-q", "-n", 20000, "-c", 20, "-d", 700, "-r", 5000,
                "-t", "set,get,incr,lpush,lpop,sadd,hset,zadd,mset", compare=False)
        save_in_background(box, server, client)
        box.run(*client, stdin=commands("read"))
        box.note(f"server's RSS at most {resident_kb(server) / 1024:.1f} MB")
        box.run(*client, "shutdown", "nosave")
        _, errors = server.wait()
        box.errors.append(("redis-server", errors.splitlines()))
    finally:
        server.kill()
