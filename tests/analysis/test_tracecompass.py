"""dashboards/tracecompass/hakmem.xml: valid, made of events that exist, and right about slabs.

Trace Compass itself is not run here. What its state provider does with the file is done again
below, for the few of its elements that the file uses.
"""

import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest
from history import Wanderer
from recorder import ROOT, SECONDS, hak
from recount import events as recorded_events

from hak import catalogue, db, paths
from hak.geometry import STRIDES

FILE = ROOT / 'dashboards/tracecompass/hakmem.xml'
# Trace Compass's schemas, which are under another licence than this project.
SCHEMAS = Path(os.environ.get('HAK_TRACECOMPASS_XSD', ROOT.parent / 'shared/tracecompass-xsd'))
# What Trace Compass knows of every event besides its fields.
ALWAYS = {'timestamp', 'context._vpid'}


@pytest.fixture(scope='module')
def views():
    return ElementTree.parse(FILE).getroot()


def fields() -> dict:
    """Event -> its fields, as the catalogue has them."""
    text = re.sub(r'/\*.*?\*/', '', paths.event_catalogue().read_text(), flags=re.DOTALL)
    return {name: set(re.findall(r'F_\w+\((\w+)', body)) for name, body in
            re.findall(r'HAK_EVENT\((\w+),(.*?)\)\n\n', text + '\n\n', flags=re.DOTALL)}


def test_it_is_valid():
    if not (SCHEMAS / 'xmlDefinition.xsd').is_file():
        pytest.skip(f'{SCHEMAS} has no xmlDefinition.xsd: not held against Trace Compass\'s schema')
    if not shutil.which('xmllint'):
        pytest.skip('xmllint is missing')
    done = subprocess.run(['xmllint', '--noout', '--schema', SCHEMAS / 'xmlDefinition.xsd', FILE],
                          capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr


def test_every_event_and_field_it_names_exists(views):
    known = fields()
    assert set(known) == {event.name for event in catalogue.events()}
    locations = {one.get('id'): one for one in views.iter('location')}

    def check(event, element):
        name = event.removeprefix('hakmem:')
        assert event.startswith('hakmem:') and name in known, event
        for one in element.iter():
            if one.get('type') == 'eventField':
                assert one.get('value') in known[name] | ALWAYS, (name, one.get('value'))
            if one.tag == 'field':
                assert one.get('name') in known[name], (name, one.get('name'))
            if one.get('type') == 'location':
                check(event, locations[one.get('value')])

    actions = {one.get('id'): one for one in views.iter('action')}
    for handler in views.iter('eventHandler'):
        check(handler.get('eventName'), handler)
    told = [one for one in views.iter('transition') if one.get('event')]
    for transition in told:
        check(transition.get('event'), actions[transition.get('action')])
    failures = {event.name for event in catalogue.events() if event.tier == 'failure'}
    assert {one.get('event').removeprefix('hakmem:') for one in told} == {
        *failures, 'shared_fail', 'shared_fail_sum'}


def test_views_show_what_the_analysis_fills(views):
    analyses = {one.get('id') for tag in ('stateProvider', 'pattern') for one in views.iter(tag)}
    assert {one.get('id') for one in views.iter('analysis')} <= analyses
    first = {one.get('value') for handler in views.iter('eventHandler')
             for one in handler.iter('stateAttribute') if one.get('type') == 'constant'}
    for view in (*views.iter('timeGraphView'), *views.iter('xyView')):
        assert view.find('entry').get('path').split('/')[0] in first | {'Processes'}
    values = {int(one.get('value')): one.get('name') for one in views.iter('definedValue')}
    for cls, stride in enumerate(STRIDES):
        assert values[cls] == f'C{cls} ({stride:,} B)'
    set_here = {int(one.get('value')) for one in views.iter('stateValue')
                if one.get('type') == 'int' and not one.get('increment')}
    assert set_here | set(range(len(STRIDES))) == set(values)


class States:
    """What a state provider of Trace Compass makes of events: attribute -> its values in time."""

    def __init__(self, provider):
        self.handlers = {one.get('eventName').removeprefix('hakmem:'): one.findall('stateChange')
                         for one in provider.iter('eventHandler')}
        self.locations = {one.get('id'): list(one) for one in provider.iter('location')}
        self.now: dict = {}
        self.spans: Counter = Counter()    # (attribute, value) -> how often it began

    def event(self, pid: int, name: str, values: dict) -> None:
        values = {**values, 'context._vpid': pid}
        for change in self.handlers.get(name, ()):
            if change.find('if') is not None:
                condition = change.find('if/condition')
                wanted = int(condition.find('stateValue').get('value'))
                if values[condition.find('field').get('name')] != wanted:
                    continue
                change = change.find('then')
            self.set(self.path(change.findall('stateAttribute'), values),
                     change.find('stateValue'), values)

    def path(self, steps: list, values: dict) -> tuple:
        found: tuple = ()
        for step in steps:
            value = step.get('value')
            found += (self.path(self.locations[value], values) if step.get('type') == 'location'
                      else (str(values[value]),) if step.get('type') == 'eventField' else (value,))
        return found

    def set(self, path: tuple, value, values: dict) -> None:
        if value.get('type') == 'delete':
            for gone in [one for one in self.now if one[:len(path)] == path]:
                del self.now[gone]
            return
        number = int(values[value.get('value')] if value.get('type') == 'eventField'
                     else value.get('value'))
        if value.get('increment'):
            number += self.now.get(path, 0)
        self.now[path] = number
        self.spans[path, number] += 1


def test_its_states_are_the_lives_of_the_database(views, record, tmp_path):
    trace = record(Wanderer(21, 900).history.text())
    states = States(next(views.iter('stateProvider')))
    for _, pid, name, values in recorded_events(trace):
        states.event(pid, name, values)
    result = hak('report', trace, '--db', tmp_path / 'db')
    assert result.code == 0, result.err
    database = db.Database(tmp_path / 'db')
    scope = db.Scope()
    pid = str(database.processes(scope)[0]['pid'])
    live = {(pid, str(row['ss']), str(row['slab'])): row['cls'] for row in database.table('life')
            if row['ended'] == 0}
    shown = {path[1:]: value for path, value in states.now.items()
             if path[0] == 'Processes' and len(path) == 4}
    published = {path for path, value in shown.items() if value == 102}
    assert {path: value for path, value in shown.items() if value < 100} == {
        path: cls for path, cls in live.items() if path not in published}
    assert published <= set(live) and len(live) > len(published)
    mapped = {str(row['ss']) for row in database.table('superslab') if row['unmapped'] is None}
    assert {path[2] for path, value in states.now.items() if value == 200} == mapped
    began = sum(count for (path, value), count in states.spans.items()
                if path[0] == 'Processes' and value < 100)
    spells = sum(row['owner'] != 0 for row in database.table('spell'))
    lives = list(database.table('life'))
    assert began == sum(row['spells'] == 1 for row in lives) + spells
    stages = database.stages_after(0, scope)
    for stage, count in stages.items():
        if stage != 'ADOPT':   # slabs adopted on the way are counted there too
            assert states.now.get(('Stages', stage), 0) == count
    assert states.now['Stages', 'ADOPT'] >= stages['ADOPT'] > 0
    assert states.now['Stages', 'REFUSED'] == sum(row['count'] for row in database.fails(scope))
    for row in database.classes(scope):
        if row['cls'] < len(STRIDES) and row['lives']:
            assert states.now['ACTIVE', str(row['cls'])] == sum(
                life['cls'] == row['cls'] and life['ended'] == 0 for life in lives)
