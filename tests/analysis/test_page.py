"""The page of `hak report --html`, in a real browser."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import npm
import pytest
from history import SS, History, Wanderer, ready
from recorder import ROOT, SECONDS, Channel, hak

from hak import lanes, packing

sys.path.insert(0, str(ROOT / 'tests/bench'))
import page as bench  # noqa: E402

HOSTILE = '</script><img/src=x/onerror=alert(1)>"\'&'
# What a page of 200,000 intervals may have.
MOST_BYTES = 1_500_000
MIB = 1 << 20


@pytest.fixture(scope='session')
def browse():
    """browse(file, scenario, …) -> what page.cjs saw; nothing went wrong and nothing was fetched."""
    if not shutil.which('chromium'):
        pytest.skip('chromium is missing')
    playwright = npm.package(npm.PLAYWRIGHT)

    def run(file: Path, scenario: str, *options: str) -> dict:
        done = subprocess.run(['node', ROOT / 'tests/analysis/page.cjs', playwright, file, scenario,
                               *options], capture_output=True, text=True, timeout=SECONDS,
                              check=False)
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        assert seen['trouble'] == []
        return seen

    return run


@pytest.fixture(scope='module')
def stranded(lttng_recorder, tmp_path_factory):
    """The old failure: a soft cap reached while slabs with nothing live were out of reach; and a
    double free. (trace, page, what --json says)"""
    folder = tmp_path_factory.mktemp('stranded')
    history = ready()
    history.add('config', key='HAKMEM_KNOB', value=HOSTILE, is_default=0)
    for slab in range(1, 7):
        history.acquire(slab=slab)
    history.refill(slab=5, taken=60)
    history.push(slab=5, blocks=7)
    for slab in (1, 2):
        history.drop(slab=slab, listed=0)
    history.drop(slab=3, listed=1)
    history.add('double_free', base=hex(SS + 0x50100), ss=hex(SS), slab=5, gen=1, cls=6)
    history.add('sleep 20')
    history.dump(transitions=0, rss=90 * MIB, anon=60 * MIB, looked=1, tables=MIB,
                 empty_resident=19 * MIB)
    for _ in range(30):
        history.fail(cap=6, unmarked=3)
        history.add('legacy_alloc', base='0x1000', size=512, cls=6, source='LEGACY_SUPERSLAB',
                    why='WHY_SHARED_FAIL')
    with lttng_recorder.session(folder / 'trace') as emit:
        emit(history.text())
    return drawn(folder / 'trace', folder / 'page.html')


def drawn(trace: Path, page: Path, *options: str) -> tuple:
    result = hak('report', trace, '--html', page, *options)
    assert result.code == 0, result.err
    return trace, page, json.loads(hak('report', trace, '--json', *options).out)


def ui_bytes(size: int) -> str:
    """As the page has it, of some MiB."""
    return f'{size / MIB:.1f} MiB'


def number(text: str) -> int:
    return int(text.replace(',', ''))


def test_the_page_says_what_json_says(stranded, browse):
    _, page, report = stranded
    seen = browse(page, 'look')
    assert seen['lives'] == report['lives'] + report['carried'] and seen['merged'] == 0
    assert {row[0]: number(row[1]) for row in seen['outcomes']} == {
        {'STAGE_0_5': '0.5', 'STAGE_1': '1', 'STAGE_2': '2', 'ADOPT': 'adopt', 'REBIND': 'rebind',
         'STAGE_3': '3'}[stage]: served for stage, served in report['stages'].items()}
    (c6,) = [row for row in seen['classes'] if row[0].startswith('C6 ')]
    told = report['classes']['6']
    assert (number(c6[1]), number(c6[8]), number(c6[10]), number(c6[11])) == (
        told['acquires'], told['live_peak'], told['shared_fail'], told['legacy'])
    (fail,) = seen['refused']
    assert number(fail[2]) == report['shared_fail'][0]['count'] == 30
    assert number(fail[10]) == report['shared_fail'][0]['unmarked'] == 3
    assert sum(number(row[4]) for row in seen['flows']) == sum(
        flow['blocks'] for flow in report['flows']) == 7
    (split,) = report['split']
    assert {row[0]: row[2] for row in seen['split']} == {
        **{name.replace('_', ' '): ui_bytes(size) for name, size in split['largest']['parts'].items()
           if size}, 'file': ui_bytes(split['largest']['file'])} == {
        'empty': '19.0 MiB', 'metadata': '1.0 MiB', 'not ours': '40.0 MiB', 'file': '30.0 MiB'}
    assert any(chart.startswith('Where the memory went') for chart in seen['charts'])
    assert seen['losses'] == [] and 'nothing lost' in seen['facts']


def test_a_newcomer_sees_why_requests_fell_to_legacy(stranded, browse):
    _, page, report = stranded
    seen = browse(page, 'look')
    texts = [finding['text'].lower() for finding in report['findings']]
    assert [text.lower() for text in seen['findings']] == texts
    assert seen['verdict'].lower() == texts[0]
    assert any('soft cap of 6 was reached while 3 slabs with nothing live were forgotten' in text and
               'hakmem_ss_empty_recycle=full' in text for text in texts)
    assert any('out of reach' in cause for cause in seen['causes'])
    assert '30 requests refused, 30 blocks from legacy' in ' '.join(seen['charts'])


def test_lanes_are_drawn_in_the_colours_of_states(stranded, browse):
    seen = browse(stranded[1], 'look')
    # Three lives went on, one was listed, two were not.
    assert seen['pixels']['active'] > seen['pixels']['unlisted'] > seen['pixels']['listed'] > 100
    assert seen['drawn'] == len(seen['charts']) >= 4 and seen['heat'] == [6]


def test_the_mouse_hovers_tells_zooms_and_moves(stranded, browse):
    seen = browse(stranded[1], 'mouse')
    assert '0x7f0000000000 #' in seen['hover'] and 'C6 (512 B)' in seen['hover']
    assert seen['clicked'] == seen['life']
    assert 'acquired for C6 (512 B)' in seen['story'] and 'life 1 of' in seen['story']
    span = seen['before']['to'] - seen['before']['from']
    zoomed = seen['zoomed']['to'] - seen['zoomed']['from']
    assert zoomed < 0.5 * span
    assert seen['dragged']['to'] - seen['dragged']['from'] == pytest.approx(zoomed)
    assert seen['dragged']['from'] < seen['zoomed']['from'] or seen['zoomed']['from'] == 0


def test_keys_do_the_same(stranded, browse):
    seen = browse(stranded[1], 'keys')
    assert seen['zoomed']['to'] - seen['zoomed']['from'] < seen['before']['to']
    assert seen['right']['from'] > seen['zoomed']['from']
    assert (seen['fit']['from'], seen['fit']['to']) == (0, seen['before']['to'])
    assert seen['next']['selected'] is not None
    assert seen['after']['selected'] != seen['next']['selected'] == seen['back']['selected']
    assert 'Slab 0x7f0000000000 #' in seen['story'] and seen['closed']['selected'] is None


def test_slabs_are_found_by_address(stranded, browse):
    seen = browse(stranded[1], 'search')
    assert seen['byName'] == seen['byAddress'] == [seen['lane']] and seen['nothing'] == []
    assert seen['all']['rows'] == 6 + len(seen['headings'])
    assert [text.split(',')[0] for text in seen['headings']] == ['0x7f0000000000']


def test_a_finding_leads_to_its_lanes_and_moment(stranded, browse):
    _, page, report = stranded
    seen = browse(page, 'finding')
    failure = report['failures']['double_free'][0]
    assert seen['said'].lower() == report['findings'][0]['text'].lower()
    assert seen['from'] <= failure['time'] - report['begin'] <= seen['to']
    assert 'freed the block' in seen['story'] and '#5, life' in seen['story']


@pytest.mark.parametrize('options', [('dark',), ('light', '420'), ('dark', '420')])
def test_dark_and_narrow(stranded, browse, options):
    seen = browse(stranded[1], 'look', *options)
    shade = [int(part) for part in seen['background'][4:-1].split(',')]
    assert (max(shade) < 64) == (options[0] == 'dark')
    assert seen['overflow'] <= 0 and seen['pixels']['active'] > 100


def test_what_a_recording_says_is_text(stranded, browse, tmp_path):
    trace, _, _ = stranded
    bad = tmp_path / 'bad.sqlite'
    assert hak('report', trace, '--db', bad, '--json').code == 0
    with closing(sqlite3.connect(bad)) as sql:
        sql.execute('UPDATE process SET name = CAST(? AS TEXT)', (HOSTILE.encode() + b'\n\xff\xed\xa0\x80',))
        sql.commit()
    page = tmp_path / 'page.html'
    bench.write(bad, page)
    seen = browse(page, 'look')
    assert seen['images'] == 0 and HOSTILE in seen['title'] and HOSTILE in seen['text']
    assert [row[2] for row in seen['knobs'] if row[1] == 'HAKMEM_KNOB'] == [HOSTILE]


def test_nothing_and_one_slab(record, browse, tmp_path):
    empty = drawn(record(History().text(), name='empty'), tmp_path / 'empty.html')
    seen = browse(empty[1], 'look')
    assert seen['lanes'] == 0 and seen['verdict'] and 'No slab' in seen['text']
    history = ready()
    history.acquire()
    one = drawn(record(history.text(), name='one'), tmp_path / 'one.html')
    seen = browse(one[1], 'look')
    assert (seen['lanes'], seen['lives']) == (1, 1) and seen['pixels']['active'] > 100


def test_losses_are_marked(record, browse, tmp_path):
    text, small = Wanderer(5, 20000).history.text(), [Channel(subbuf_size=4096, subbufs=2)]
    for attempt in range(5):   # faster than anything can write it down, mostly
        _, page, report = drawn(record(text, name=f'trace{attempt}', channels=small), tmp_path / 'page.html')
        if report['lost']['events']:
            break
    else:
        pytest.skip('nothing was lost')
    seen = browse(page, 'look')
    assert len(seen['losses']) == min(100, len(report['lost']['intervals']))
    assert f'{report["lost"]["events"]:,} events' in seen['facts']


@pytest.fixture(scope='module')
def template(tmp_path_factory):
    return bench.template(tmp_path_factory.mktemp('template'))


def made_up(template: Path, folder: Path, lives: int) -> tuple[Path, Path]:
    file, page = folder / 'lives.sqlite', folder / 'lives.html'
    shutil.copy(template, file)
    bench.made_up(file, lives, 2000)
    bench.write(file, page)
    return file, page


def test_two_hundred_thousand_intervals_are_small(template, browse, tmp_path):
    file, page = made_up(template, tmp_path, 100_000)
    assert page.stat().st_size < MOST_BYTES
    seen = browse(page, 'speed')
    assert seen['lives'] == 100_000 and seen['intervals'] == pytest.approx(200_000, rel=0.01)
    print({key: seen[key] for key in ('ready', 'step', 'squeezed')})


def test_a_million_intervals_open(template, browse, tmp_path):
    _, page = made_up(template, tmp_path, 500_000)
    seen = browse(page, 'look')
    assert seen['intervals'] == pytest.approx(1_000_000, rel=0.01) and seen['pixels']['active'] > 1000


def test_more_are_merged_and_said_to_be(template, browse, tmp_path, monkeypatch):
    monkeypatch.setattr(lanes, 'MOST', 50_000)
    file, page = made_up(template, tmp_path, 200_000)
    seen = browse(page, 'look')
    assert seen['lives'] + seen['merged'] == 200_000 and seen['lives'] < 100_000
    assert f'{seen["merged"]:,} of 200,000 lives are merged' in seen['mergedSaid']


def test_it_prints(stranded, browse):
    seen = browse(stranded[1], 'print')
    assert seen['head'] == '%PDF-' and seen['pdf'] > 20_000


def test_columns_survive_packing(tmp_path):
    import base64
    import gzip

    column, small = packing.Column(), packing.Column(packing.NARROW)
    values = [0, 1, 255, 65536, packing.ESCAPE - 1, packing.ESCAPE, 1 << 52]
    for value in values:
        column.put(value)
        small.put(value & 255)
    packed = packing.pack({'a': column, 'b': small})
    raw = gzip.decompress(base64.b64decode(packed['gzip']))
    n = len(values)
    wide = [int.from_bytes(bytes(raw[plane * n + i] for plane in range(4)), 'little') for i in range(n)]
    large = iter(packed['columns'][0]['large'])
    assert [next(large) if value == packing.ESCAPE else value for value in wide] == values
    assert list(raw[4 * n:]) == [value & 255 for value in values]


@pytest.mark.parametrize('where', ['no/such/folder/x.html', '.'])
def test_a_page_that_cannot_be_written_is_named(stranded, tmp_path, where):
    result = hak('report', stranded[0], '--html', tmp_path / where)
    assert result.code == 3 and str(tmp_path / where) in result.err and result.err.count('\n') == 1
