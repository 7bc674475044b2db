"""Who runs out of memory while he is recorded, and goes on, is not ended by that."""

from running import SECONDS
from stage import PUPPET


def test_a_recorded_program_survives_the_end_of_memory(daemon):
    program = daemon.hak.start('record', '-o', 'ends', '--', 'prlimit', '--as=200000000', PUPPET,
                               stdin=-1, env={'HAKMEM_OOM_REPORT': '0'})
    out, err = program.communicate('hold 512 4000000\nhold 512 4000000\n', timeout=SECONDS)
    assert program.returncode == 0, err
    _, most, _ = map(int, out.split())
    assert 50_000 < most < 400_000
    assert daemon.hak('verify', 'ends').code == 0
