"""The heap as gdb shows it: of a process that stopped, and of its core."""

import os
import re
import shutil
import subprocess

import pytest
from conftest import ROOT
from running import SECONDS

LIBRARY = ROOT / 'build/trace/libhakmem.so'
PROGRAM = '''
#include <stdlib.h>
#include <string.h>
char *live, *freed, *drained, *large, outside[64];
int main(void)
{
    char *block[5000];
    for (int i = 0; i < 5000; i++)
        block[i] = memset(malloc(100), 7, 100);
    for (int i = 1000; i < 3000; i++)
        free(block[i]);
    live = block[10];
    drained = block[1500];
    freed = block[20];
    free(freed);
    large = malloc(100000);
    abort();
}
'''
COMMANDS = ('hak heap', 'hak classes', 'hak slab live', 'hak block live', 'hak block live + 5',
            'hak block freed', 'hak block drained', 'hak block large', 'hak block outside')

pytestmark = pytest.mark.skipif(shutil.which('gdb') is None, reason='gdb is missing')


def gdb(*commands: str, program: str, core: str = '') -> str:
    words = [word for command in commands for word in ('-ex', command)]
    done = subprocess.run(['gdb', '-nx', '-q', '-batch', *words, program, *([core] if core else [])],
                          capture_output=True, text=True, timeout=SECONDS, check=False,
                          env={**os.environ, 'DEBUGINFOD_URLS': ''})
    return done.stdout + done.stderr


@pytest.fixture(scope='module')
def stopped(tmp_path_factory):
    folder = tmp_path_factory.mktemp('gdb')
    program, core = str(folder / 'program'), str(folder / 'core')
    subprocess.run(['gcc', '-g', '-O1', '-fno-builtin', '-xc', '-', '-o', program], input=PROGRAM,
                   text=True, check=True)
    source = f'source {ROOT}/scripts/hakmem-gdb.py'
    live = gdb(f'set environment LD_PRELOAD {LIBRARY}', 'set environment HAKMEM_TRACE 0', 'run',
               source, *COMMANDS, f'generate-core-file {core}', program=program)
    return live, gdb(source, *COMMANDS, program=program, core=core)


@pytest.mark.parametrize('which', [0, 1], ids=['process', 'core'])
def test_the_heap_is_told(stopped, which):
    text = stopped[which]
    assert re.search(r'^\d+ SuperSlabs, \d+\.\d MiB; at most \d+\.\d MiB in use', text, re.M), text
    assert re.search(r'^C4 +128 +\d+ +2 ', text, re.M), text
    assert 'C4, 128 bytes a block, ACTIVE, of the pool' in text
    assert text.count('  LIVE; the slab belongs to owner 1') == 2
    assert 'the address is 5 bytes into it' in text
    assert 'FREE, in the list of thread' in text
    assert 'FREE, on its slab\'s freelist' in text
    assert text.count('that of a free block, intact') == 2
    assert 'in the large pool: no slab is there' in text
    assert 'not hakmem\'s: no slab is there' in text


def test_without_the_library_it_says_so(tmp_path):
    text = gdb('start', f'source {ROOT}/scripts/hakmem-gdb.py', 'hak heap', program='/bin/true')
    assert 'hak: no symbol pagemap_root: is libhakmem.so loaded' in text
