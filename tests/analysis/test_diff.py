"""What `hak diff` says of two recordings is what their reports differ in."""

import json
import re
import shutil
import subprocess

import pytest
from history import History, ready
from recorder import SECONDS, hak, on_terminal

HOSTILE = '</script><img/src=x>&"\''


def history(fails: int, acquires: int, setting: str) -> History:
    made = ready()
    made.add('config', key='HAKMEM_KNOB', value=setting, is_default=0)
    for slab in range(acquires):
        made.acquire(slab=slab, stage='STAGE_2')
    for _ in range(fails):
        made.fail(cap=4, unmarked=3)
        made.add('legacy_alloc', base='0x1000', size=512, cls=6, source='LEGACY_SUPERSLAB',
                 why='WHY_SHARED_FAIL')
    made.drop(slab=0)
    return made


@pytest.fixture(scope='module')
def pair(lttng_recorder, tmp_path_factory):
    """A recording with 40 refusals, and one without them but with a double free."""
    folder = tmp_path_factory.mktemp('pair')
    bad, good = history(40, 4, HOSTILE), history(0, 12, '2')
    good.add('double_free', base='0x7f0000010000', ss='0x7f0000000000', slab=1, gen=1, cls=6)
    good.add('sleep 30')
    good.acquire(slab=20)
    for name, made in (('bad', bad), ('good', good)):
        with lttng_recorder.session(folder / name) as emit:
            emit(made.text())
    return folder / 'bad', folder / 'good'


def told(*args) -> dict:
    result = hak('diff', *args, '--json')
    assert result.code == 0, result.err
    return json.loads(result.out)


def number(found: dict, topic: str, name: str) -> dict:
    return next(change for change in found['changes']
                if (change['topic'], change['name']) == (topic, name))


def test_the_numbers_are_those_of_the_reports(pair):
    found = told(*pair)
    for side, trace in zip('ab', pair):
        report = json.loads(hak('report', trace, '--json').out)
        for name, key in (('requests refused by every stage', 'shared_fail'),
                          ('blocks from the legacy backend', 'legacy'),
                          ('slabs ACTIVE at most', 'live_peak')):
            assert number(found, 'C6 (512 B)', name)[side] == report['classes']['6'][key]
        assert number(found, 'slabs', 'acquires')[side] == report['acquires']
        assert number(found, 'failures', 'double frees')[side] == report['double_free']
        assert found[side]['events'] == report['events']
        assert found[side]['stages'] == report['stages']


def test_findings_are_gone_or_new_and_the_biggest_change_is_first(pair):
    found = told(*pair)
    assert [one['name'] for one in found['findings']['gone']] == ['soft_cap_stranded']
    assert [one['name'] for one in found['findings']['new']] == ['double_free']
    assert found['settings'] == [{'knob': 'HAKMEM_KNOB', 'a': [HOSTILE], 'b': ['2']}]
    ranks = [change['rank'] for change in found['changes']]
    assert ranks == sorted(ranks, reverse=True)
    first = found['changes'][0]
    assert (first['a'], first['b'], first['judgement']) == (40, 0, 'better')
    assert number(found, 'failures', 'double frees')['judgement'] == 'worse'
    turned = told(*reversed(pair))
    assert turned['findings']['new'] == found['findings']['gone']
    assert number(turned, 'failures', 'double frees')['judgement'] == 'better'


def test_a_recording_does_not_differ_from_itself(pair):
    found = told(pair[0], pair[0])
    assert all(change['small'] for change in found['changes'])
    assert found['findings']['gone'] == found['findings']['new'] == found['settings'] == []
    assert len(found['findings']['stay']) == 1
    said = hak('diff', pair[0], pair[0]).out
    assert 'change ' not in said and 'stays ' in said
    assert 'change ' in hak('diff', pair[0], pair[0], '--all').out


def test_counts_per_second_grow_with_the_length(pair):
    plain, rates = told(*pair), told(*pair, '--per-second')
    for side in 'ab':
        seconds = plain[side]['duration_ns'] / 1e9
        raw, rate = (number(one, 'slabs', 'acquires')[side] for one in (plain, rates))
        assert rate == pytest.approx(raw / seconds)
        assert (number(plain, 'C6 (512 B)', 'slabs ACTIVE at most')[side]
                == number(rates, 'C6 (512 B)', 'slabs ACTIVE at most')[side])


def test_a_window_and_a_class_hold_for_both(pair):
    other = told(*pair, '--class', 'C5')
    assert all(change['topic'] != 'C6 (512 B)' for change in other['changes'])
    late = told(*pair, '--from', '0.02')
    assert number(late, 'slabs', 'acquires')['b'] == 1
    assert number(late, 'slabs', 'acquires')['a'] == 0


def test_the_page_holds_the_same_and_runs_nothing_that_a_recording_says(pair, tmp_path):
    page = tmp_path / 'diff.html'
    result = hak('diff', *pair, '--html', page)
    assert result.code == 0 and result.out == '', result.err
    text = page.read_text(encoding='utf-8')
    data = re.search('<script id="data" type="application/json">(.*?)</script>', text,
                     re.DOTALL)[1]
    assert json.loads(data) == told(*pair)
    assert '<' not in data and '{{' not in text
    assert not re.search(r'(src|href)\s*=|@import|url\(|fetch\(|innerHTML', text.replace(data, ''))
    assert "default-src 'none'" in text


def test_a_browser_draws_the_page(pair, tmp_path):
    if not shutil.which('chromium'):
        pytest.skip('chromium is missing')
    page = tmp_path / 'diff.html'
    assert hak('diff', *pair, '--html', page).code == 0
    done = subprocess.run(
        ['chromium', '--headless', '--no-sandbox', '--disable-gpu', '--dump-dom',
         f'--user-data-dir={tmp_path / "profile"}', '--virtual-time-budget=3000', page.as_uri()],
        capture_output=True, text=True, timeout=SECONDS, check=False)
    drawn = done.stdout
    assert re.search('<html[^>]* data-ready', drawn), done.stderr[-500:]
    found = told(*pair)
    table = drawn[drawn.index('<tbody', drawn.index('id="changes"')):drawn.index('id="none"')]
    assert re.findall('<tr><td>(.*?)</td><td>(.*?)</td>', table) == [
        (change['topic'], change['name'].replace('&', '&amp;'))
        for change in found['changes'] if not change['small']]
    for finding in found['findings']['new'] + found['findings']['gone']:
        assert finding['text'].split(' (')[0] in drawn
    assert '<img' not in drawn and '&lt;/script&gt;&lt;img/src=x&gt;' in drawn


def test_a_terminal_gets_a_drawing(pair):
    said = on_terminal('diff', *pair)
    for words in ('gone', 'new', 'biggest first', 'C6 (512 B)', 'better', 'HAKMEM_KNOB'):
        assert words in said
    assert '\x1b[3' not in on_terminal('diff', *pair, env={'NO_COLOR': '1'})


def test_what_cannot_be_compared_is_named(pair, tmp_path):
    for args, code, words in (((pair[0],), 2, 'diff'),
                              ((pair[0], tmp_path / 'nowhere'), 3, 'nowhere'),
                              ((tmp_path, pair[1]), 3, str(tmp_path))):
        result = hak('diff', *args)
        assert result.code == code and words in result.err and result.out == ''
        assert len(result.err.splitlines()) == 1
    page = tmp_path / 'no' / 'page.html'
    result = hak('diff', *pair, '--html', page)
    assert result.code == 3 and str(page) in result.err
