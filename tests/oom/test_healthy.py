"""Programs with which nothing is wrong get no verdict that anybody would act on, at any tier."""

import pytest
from stage import told

NODE = 'const kept = []; for (let i = 0; i < 200000; i++) kept.push({i}); setTimeout(() => {}, 1500)'
IMPORTS = 'import asyncio, decimal, http.client, json, time, unittest, xml.dom; time.sleep(1.5)'
GROWING = """
import time
kept = []
for i in range(25):
    kept += [bytes(1000) for n in range(1500)]
    time.sleep(.1)
"""
SQL = ('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) '
       'SELECT count(*), sum(length(hex(randomblob(200)))) FROM n')
PROGRAMS = {
    'node': ['node', '-e', NODE],
    'python3': ['/usr/bin/python3', '-c', IMPORTS],
    'python3, growing': ['/usr/bin/python3', '-c', GROWING],
    'bash': ['bash', '-c', 'for i in 1 2 3; do ls / | wc -l; done'],
    'sqlite3': ['sqlite3', ':memory:', SQL],
    'gcc': ['sh', '-c', 'echo "int main(void) { return 0; }" | gcc -O2 -x c -o /dev/null -'],
}
# What a program does in its first second is its start, so these get none at all.
NONE = {'node', 'python3', 'bash', 'sqlite3', 'gcc'}


@pytest.mark.parametrize('tier', ['lifecycle', 'flow', 'ops'])
@pytest.mark.parametrize('name', PROGRAMS)
def test_a_healthy_program_is_not_accused(stage, name, tier):
    folder = stage.folder / 'healthy'
    recorder = stage.daemon.hak.start('record', '-o', folder, '--tier', tier, '--', *PROGRAMS[name],
                                      stderr=stage._log('healthy'))
    recorder.communicate()
    assert recorder.returncode == 0
    for process in told(folder)['processes']:
        found = {each['cause']: each['confidence'] for each in process['verdicts']}
        assert all(sure < 0.5 for sure in found.values()), process
        assert name not in NONE or not found, process
