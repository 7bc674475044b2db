"""Real programs, and what must be said of them: those in which something goes wrong, and their near
misses, in which nothing does.

They are recorded as users do it: no knob but what the situation is made of, a limit only where it is
the situation. What they do is in programs/, in their own languages.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import plays
from plays import Alone, Lines, Play, Sql, keys, nginx, postgres, redis, sql
from running import ROOT

WORKS = Path(__file__).parent / 'programs'
# One table, of which a compiler makes a tree.
TABLE = '(echo "int table[] = {"; seq -s, 1500000; echo "};") >big.c'
SOURCE = f'{sys.executable} {ROOT}/tests/real/programs/generate_c.py 4000 >big.c'


@dataclass(frozen=True)
class Program:
    """`cause`: what must be named first; '': nothing is wrong, and nothing may be named that is
    half sure. `of`: the name of the process that has it, if that is a child's.
    `remedy`: what is printed must end it. `trigger`: the condition that takes the snapshot by itself.
    `group`: MiB of the memory cgroup in which it lives. `limit`: shell, what it is limited by.
    """
    name: str
    argv: tuple
    cause: str = ''
    play: Play = field(default_factory=Lines)
    of: str = ''
    env: dict = field(default_factory=dict)
    remedy: bool = False
    trigger: str = ''
    group: int = 0
    limit: str = ''
    rest: float = 2


# Python asks malloc for all it needs, as extensions do.
MALLOC = {'PYTHONMALLOC': 'malloc'}


def python(what: str, cause: str = '', **rest) -> Program:
    limited = f', {rest["limit"]}' if 'limit' in rest else ''
    return Program(f'python3 {what}{limited}', ('python3', WORKS / 'work.py', what), cause, **rest)


def perl(what: str, cause: str = '', **rest) -> Program:
    return Program(f'perl {what}', ('perl', WORKS / 'work.pl', what), cause, **rest)


def node(what: str, cause: str = '', **rest) -> Program:
    return Program(f'node {what}', ('node', WORKS / 'work.js', what), cause, **rest)


def bash(what: str, cause: str = '', **rest) -> Program:
    return Program(f'bash {what}', ('bash', WORKS / 'work.sh', what), cause, **rest)


def awk(what: str, cause: str = '', **rest) -> Program:
    return Program(f'awk {what}', ('gawk', '-v', f'what={what}', '-f', WORKS / 'work.awk'), cause,
                   **rest)


def lua(what: str, cause: str = '', **rest) -> Program:
    return Program(f'lua {what}', ('lua5.4', WORKS / 'work.lua', what), cause, **rest)


def space(mib: int) -> str:
    """So much address space."""
    return f'ulimit -v {mib << 10}'


def rows(table: str, count: int, size: int) -> str:
    return (f'create table if not exists {table}(id integer primary key, text blob);\n'
            f'insert into {table}(text) with recursive n(i) as (select 1 union all select i + 1 '
            f'from n where i < {count}) select randomblob({size}) from n;')


SORT = ('set work_mem = \'1GB\'; select count(*) from (select md5(i::text) as m, i from '
        'generate_series(1, {n}) as i order by m) as sorted where i > 0')

PROGRAMS = [
    # ---- python3 ----
    python('c_leak', 'leak'),
    python('sessions', 'leak', env=MALLOC),
    python('dict_cache'),
    python('pipeline'),
    python('drains', env=MALLOC),
    python('load'),
    python('burst'),
    python('doubles'),
    python('forks'),
    python('maps', 'not_us'),
    python('shares', 'not_us'),
    python('lent', 'remote_backlog'),
    python('thin', 'fragmentation'),
    python('pool', 'thread_cache_bloat'),
    python('odd_size', 'class_waste'),
    python('twice', 'corruption', trigger='double_free'),
    python('after_free', 'corruption', trigger='hdr_reset'),
    python('strings', 'map_fail_rlimit_as', limit=space(600), remedy=True, trigger='map_fail'),
    python('strings', limit=space(4096)),

    # ---- perl, awk, lua, the shell ----
    perl('hash', 'leak'),
    perl('cycles', 'leak'),
    perl('cache'),
    perl('import'),
    perl('all_at_the_end'),
    perl('sort'),
    awk('remembers', 'leak'),
    awk('words'),
    lua('events', 'leak'),
    lua('garbage'),
    bash('list', 'leak'),
    bash('lines'),
    bash('pipes'),

    # ---- node ----
    node('buffers', 'leak'),
    node('objects', 'not_us'),
    node('requests'),
    node('cache'),

    # ---- sqlite3 ----
    Program('sqlite3 in memory, a limit', ('sqlite3', ':memory:'), 'map_fail_rlimit_as',
            Sql(rows('t', 100_000, 500), rows('t', 600_000, 500)), limit=space(400),
            remedy=True, trigger='map_fail'),
    Program('sqlite3 in memory', ('sqlite3', ':memory:'), '',
            Sql(rows('t', 100_000, 500), rows('t', 20_000, 500) + 'select count(*) from t;')),
    Program('sqlite3 with a cache', ('sqlite3', '{folder}/db'), '',
            Sql('pragma cache_size = -40000;\n' + rows('t', 100_000, 500),
                'select sum(length(text)) from t;\n' * 5)),

    # ---- redis ----
    Program('redis fills its group', plays.REDIS, 'map_fail_cgroup',
            redis(keys(1, 50_000, 500), keys(50_001, 400_000, 500)), remedy=True,
            trigger='pressure', group=128),
    Program('redis, every 8th key is left', plays.REDIS, 'fragmentation',
            redis(keys(1, 150_000, 500),
                  'redis-cli -s redis eval "for i=1,150000 do if i % 8 > 0 then '
                  'redis.call(\'del\', \'k\'..i) end end" 0; sleep 2')),
    Program('redis under load', plays.REDIS, '', redis(*[
        'redis-benchmark -s redis -q -t set,get,lpush,lpop -n 60000 -r 20000 -d 200'] * 2)),
    Program('redis with maxmemory',
            (*plays.REDIS, '--maxmemory', '60mb', '--maxmemory-policy', 'allkeys-lru'), '',
            redis(keys(1, 150_000, 400), keys(150_001, 300_000, 400))),

    # ---- gcc ----
    Program('gcc', ('gcc', '-O2', '-c', '{folder}/big.c', '-o', '{folder}/big.o'), '',
            Alone(SOURCE)),
    Program('gcc, a limit', ('gcc', '-O2', '-c', '{folder}/big.c', '-o', '{folder}/big.o'),
            'map_fail_rlimit_as', Alone(TABLE), of='cc1', limit=space(300),
            remedy=True),

    # ---- nginx ----
    Program('nginx under load', plays.NGINX, '', nginx(3000)),
    Program('nginx, a small pool', plays.NGINX, 'ace_exhaustion', nginx(400), of='nginx',
            env={'HAKMEM_ACE_LARGE_CAP': '300K'}, remedy=True),

    # ---- PostgreSQL ----
    Program('postgres under load', plays.POSTGRES, '', postgres(
        f'{plays.POSTGRES_BIN}/pgbench -h $PWD -U nobody -i -q -s 2 postgres',
        f'{plays.POSTGRES_BIN}/pgbench -h $PWD -U nobody -c 4 -T 3 postgres')),
    Program('postgres sorts', plays.POSTGRES, '', postgres(
        sql(SORT.format(n=100_000)), sql(SORT.format(n=300_000)))),
    Program('postgres sorts, a limit', plays.POSTGRES, 'map_fail_rlimit_as', postgres(
        sql(SORT.format(n=10_000)), sql(SORT.format(n=3_000_000))), of='postgres',
        limit=space(600), remedy=True, trigger='map_fail'),

    # ---- tools ----
    Program('jq', ('jq', 'sort_by(.a) | length', '{folder}/big.json'), '',
            Alone(f'{sys.executable} -c "import json; print(json.dumps([{{\'a\': str(n) * 9}}'
                  ' for n in range(150000)]))" >big.json')),
    Program('xz -9, a limit', ('xz', '-9', '-k', '-T1', '{folder}/data'),
            'map_fail_rlimit_as', Alone('seq 1500000 >data'), limit=space(500), remedy=True,
            trigger='map_fail'),
    Program('xz -9', ('xz', '-9', '-k', '-T1', '{folder}/data'), '', Alone('seq 1500000 >data')),
    Program('sort', ('sort', '-R', '{folder}/data', '-o', '{folder}/sorted'), '',
            Alone('seq 500000 >data')),
    Program('tar in a group', ('tar', 'cf', '{folder}/tar', '-C', '{folder}', 'data'), '',
            Alone('dd if=/dev/zero of=data bs=1M count=200 2>/dev/null'), group=96),
    Program('dd in a group', ('dd', 'if={folder}/data', 'of={folder}/copy', 'bs=1M'), '',
            Alone('dd if=/dev/zero of=data bs=1M count=200 2>/dev/null'), group=96),
]
