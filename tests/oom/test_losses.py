"""Buffers that are too small on purpose: a verdict says what was lost, and builds nothing on it."""

from running import SECONDS

import json

from flying import CAPPED, TROUBLE


def test_what_was_lost_is_said_with_the_verdict(daemon):
    hak = daemon.hak
    program = hak.start('record', '-o', 'lossy', '--buffer-size', '8K', '--tier', 'ops', '--',
                        TROUBLE, 'shared_fail', '100000', env=CAPPED, stdin=-1)
    _, err = program.communicate('\n', timeout=SECONDS)
    assert program.returncode == 0, err
    assert 'lost' in err and 'nothing lost' not in err
    verify = hak('verify', 'lossy')
    assert verify.code == 0 and 'lost' in verify.out, verify.out + verify.err
    result = hak('oom', 'lossy', '--json')
    assert result.code in (0, 1) and result.out, result.err
    ours, = [each for each in json.loads(result.out)['processes'] if each['name'] == 'trouble']
    for verdict in ours['verdicts']:
        assert any('lost' in each['text'] for each in verdict['evidence']), verdict
        assert verdict['confidence'] < 0.9
    # Without a word of the loss nothing may be ruled in or out.
    assert ours['verdicts'] or any('lost' in each['why'] for each in ours['insufficient'])
    text = hak('oom', 'lossy').out
    assert 'lost' in text
