"""The metrics as Prometheus takes them, and the dashboard that asks for them."""

import json
import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
from conftest import CAPPED, DASHBOARD, inner, trouble
from running import SECONDS, until
from test_tally import full_session, tell_split

from hak.reporters import openmetrics
from hak.reporters.openmetrics import OPENMETRICS, PLAIN

FAMILIES = {family.name: family for family in (*openmetrics.WHOLE, *openmetrics.EACH)}


def promtool(*args: str, stdin: str = '') -> None:
    done = subprocess.run(['promtool', *args], input=stdin, capture_output=True, text=True,
                          timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def everything(comm: str) -> dict:
    """A snapshot with a sample of every family."""
    session = full_session(comm)
    tell_split(session, 1)
    session.tell(2, 'slab_active', 1, cls=6, stage='STAGE_1')
    session.tell(2, 'legacy_alloc', 1, cls=6, why='WHY_SHARED_FAIL')
    session.tell(2, 'ace_fail', 1, layer='MID', reason='EXHAUSTION', size=1, used=2, limit=3,
                 err=0)
    session.tell(2, 'statedump_pool', 1, layer='MID', used=1, peak=1, limit=3, mapped=4, blocks=1,
                 threshold=0, exhaustion=1, map_fail=0)
    session.tell(2, 'statedump_process', 1, rss=1, vm=1, limit_as=0, cgroup_used=0,
                 cgroup_limit=0, maps=1, max_maps=1, threads=1, superslab_bytes=1, purged_bytes=1)
    return session.told()


@pytest.mark.parametrize('comm', ('prog', 'a"b\\c\nd', '\udcff{}'))
def test_both_formats_hold_every_family_and_promtool_takes_them(comm, tmp_path):
    told = everything(comm.encode('utf-8', 'replace').decode())
    plain = openmetrics.text(told, PLAIN)
    promtool('check', 'metrics', stdin=plain)
    assert set(re.findall(r'^# TYPE (\S+)', plain, re.M)) == \
        {family.sample_name for family in FAMILIES.values()}
    # promtool has no other check of OpenMetrics than to take it in, for which it wants times.
    timed = re.sub(r'^([^#\n].*)$', r'\1 1700000000', openmetrics.text(told, OPENMETRICS),
                   flags=re.M)
    (tmp_path / 'metrics').write_text(timed)
    promtool('tsdb', 'create-blocks-from', 'openmetrics', str(tmp_path / 'metrics'),
             str(tmp_path / 'tsdb'))


def test_the_dashboard_shows_every_family_and_asks_for_no_other():
    asked = set(re.findall(r'\bhakmem_\w+', json.dumps(panels())))
    assert asked == {family.sample_name for family in FAMILIES.values()}


def test_the_dashboards_panels_lie_beside_each_other():
    taken = set()
    for panel in panels():
        at = panel['gridPos']
        cells = {(x, y) for x in range(at['x'], at['x'] + at['w'])
                 for y in range(at['y'], at['y'] + at['h'])}
        assert not cells & taken and max(x for x, _ in cells) < 24, panel['title']
        assert panel['description'] and panel['targets']
        taken |= cells


def test_prometheus_scrapes_hak_top_and_answers_what_the_dashboard_asks(stage, tmp_path):
    top = stage.top('--openmetrics', '0', '--interval', '0.2')
    listens = top.process.stderr.readline()
    address = re.search(r'http://(127\.0\.0\.1:\d+)/metrics', listens)[1]
    with prometheus(tmp_path, address) as server:
        assert until(lambda: served(address))
        program = stage.program('shared_fail', 3000, **CAPPED)
        trouble(program)
        mine = f'{{pid="{inner(program)}",name="trouble"'
        refused = f'hakmem_shared_fail_total{mine},class="C6"}}'

        def seen() -> float:
            return value(server, refused)

        # More than a few: those that the two slabs did not serve.
        assert until(lambda: seen() > 2000 and f'\n{refused} {seen():.0f}\n' in served(address))
        for expression in expressions():
            ask(server, expression)
        assert value(server, 'hakmem_up') == 1
    promtool('check', 'metrics', stdin=served(address))
    with pytest.raises(urllib.error.HTTPError, match='404'):
        urllib.request.urlopen(f'http://{address}/', timeout=SECONDS)


def test_a_textfile_is_replaced_as_a_whole(stage):
    path = stage.hak.cwd / 'hakmem.prom'
    top = stage.top('--textfile', path, '--interval', '0.1')
    assert until(path.exists)
    program = stage.program('shared_fail', 100)
    seen = set()

    def mine() -> bool:
        seen.add(path.read_text())
        return any(f'pid="{inner(program)}"' in text for text in seen)

    assert until(mine)
    for text in seen:
        promtool('check', 'metrics', stdin=text)
        assert text.startswith('# TYPE hakmem_up gauge') and text.endswith('\n')
    os.kill(top.pid(), signal.SIGTERM)
    assert top.process.communicate(timeout=SECONDS) == ('', '')
    assert not list(path.parent.glob('.*prom*'))


def served(address: str) -> str:
    """To one who does not ask for OpenMetrics; empty before the first snapshot."""
    try:
        with urllib.request.urlopen(f'http://{address}/metrics', timeout=SECONDS) as answer:
            assert answer.headers['Content-Type'] == PLAIN
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        assert error.code == 503
        return ''


def panels() -> list[dict]:
    return json.loads(DASHBOARD.read_text())['panels']


def expressions() -> list[str]:
    """With what Grafana puts in for the variables when all is chosen."""
    found = [target['expr'] for panel in panels() for target in panel['targets']]
    for variable, text in (('$__range', '15m'), ('$__rate_interval', '1m'), ('$pid', '.*'),
                           ('$job', '.*')):
        found = [expression.replace(variable, text) for expression in found]
    assert '$' not in ''.join(found)
    return found


class prometheus:
    """Runs one that scrapes an address every second."""

    def __init__(self, folder, address: str):
        self.folder, self.address = folder, address

    def __enter__(self) -> str:
        (self.folder / 'prometheus.yml').write_text(json.dumps({
            'global': {'scrape_interval': '1s'},
            'scrape_configs': [{'job_name': 'hakmem',
                                'static_configs': [{'targets': [self.address]}]}]}))
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            server = '127.0.0.1:{}'.format(free.getsockname()[1])
        self.process = subprocess.Popen(
            ['prometheus', f'--config.file={self.folder}/prometheus.yml',
             f'--storage.tsdb.path={self.folder}/data', f'--web.listen-address={server}'],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert until(lambda: answers(server)), 'prometheus does not answer'
        return server

    def __exit__(self, *_) -> None:
        os.kill(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=SECONDS)


def answers(server: str) -> bool:
    try:
        return ask(server, 'up') is not None
    except OSError:
        return False


def ask(server: str, expression: str) -> list:
    """HTTPError if Prometheus does not understand it."""
    query = urllib.parse.urlencode({'query': expression})
    with urllib.request.urlopen(f'http://{server}/api/v1/query?{query}', timeout=SECONDS) as answer:
        return json.load(answer)['data']['result']


def value(server: str, expression: str) -> float:
    found = ask(server, expression)
    return float(found[0]['value'][1]) if found else -1.0
