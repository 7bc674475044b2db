"""Real programs have the findings on our malloc that they have on the C library's."""

import json
import re
import subprocess

import pytest
from runs import BUILT, ENVIRONMENT, HAK, HAKMEM, PLAIN, SECONDS

SCRIPT = '''
import json, re
rows = [{'n': i, 'text': str(i) * (i % 7)} for i in range(300)]
assert len(json.loads(json.dumps(rows))) == 300 and re.match('(a|b)*c', 'ab' * 50 + 'c')
'''
SQL = '''create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 500)
insert into t select i, hex(i) || 'x' from n;
select count(*), sum(length(b)) from t where b like '3%' group by a % 7 order by 1;'''
PERL = 'my %h = map { $_ => "x" x ($_ % 50) } 1..3000; print length join ",", sort values %h;'
LUA = 'local t = {} for i = 1, 3000 do t[i] = {string.rep("x", i % 50)} end print(#t)'
GAWK = 'BEGIN { for (i = 0; i < 3000; i++) t[i] = i "-" (i * 7); print length(t) }'
PROGRAMS = {
    'python3': ['/usr/bin/python3', '-S', '-c', SCRIPT],
    'sqlite3': ['sqlite3', ':memory:', SQL],
    'perl': ['perl', '-e', PERL],
    'lua5.4': ['lua5.4', '-e', LUA],
    'gawk': ['gawk', GAWK],
    'git': ['git', 'log', '--oneline', '-20'],
}
BYTES = re.compile(r'[\d,]+( \([\d,]+ direct, [\d,]+ indirect\))? bytes')
ENV = {'PYTHONMALLOC': 'malloc', 'PERL_HASH_SEED': '0', 'GIT_PAGER': 'cat',
       'GIT_CONFIG_COUNT': '1', 'GIT_CONFIG_KEY_0': 'safe.directory', 'GIT_CONFIG_VALUE_0': '*'}


def inside(findings) -> list:
    """Kind, text and where. Not the sums of leaks: perl copies its environment, which is longer
    where something is preloaded."""
    return sorted((finding.kind, BYTES.sub('', finding.texts[0]), finding.stacks[:1])
                  for finding in findings.elements())


@pytest.mark.parametrize('name', PROGRAMS)
def test_findings_are_the_same(run, name):
    plain = run(PLAIN, PROGRAMS[name], '--leak-check=full', env=ENV)
    ours = run(HAKMEM, PROGRAMS[name], '--leak-check=full', env=ENV)
    assert ours.out == plain.out
    assert inside(ours.findings) == inside(plain.findings)


def test_a_recorded_program_is_as_clean(tmp_path):
    """The tracer works under memcheck, and nothing of it is reported."""
    env = {name: value for name, value in ENVIRONMENT.items() if name != 'HAKMEM_TRACE'}
    trace = tmp_path / 'trace'
    done = subprocess.run([HAK, 'record', '--private', '-o', trace, '--', HAK, 'memcheck', '-q',
                           '--leak-check=full', '--', BUILT / 'clean_others_free'],
                          env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    verified = subprocess.run([HAK, 'verify', '--json', trace], env=env, capture_output=True,
                              text=True, timeout=SECONDS, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    report = subprocess.run([HAK, 'report', '--json', trace], env=env, capture_output=True,
                            text=True, timeout=SECONDS, check=False)
    assert json.loads(report.stdout)['lives'] > 3
