"""`hak report --html`: what dashboards/report draws."""

from pathlib import Path

from hak import graph, lanes, moments, series
from hak.db import Scope
from hak.geometry import STRIDES
from hak.model import Report
from hak.oom import judge
from hak.oom.verdict import CAUSES
from hak.reading import Source
from hak.reporters import pages

STYLES = ['vendor/uplot/uPlot.min.css', 'report/report.css']
SCRIPTS = ['vendor/uplot/uPlot.iife.min.js', *(f'report/{name}.js' for name in (
    'base', 'data', 'raster', 'lanes', 'story', 'charts', 'heat', 'tables', 'main'))]


def write(report: Report, source: Source, scope: Scope, file: Path) -> None:
    begin, end = report.window or (None, None)
    begin, end = begin or report.begin, end or report.end
    said = report.as_json()
    for told, finding in zip(said['findings'], report.findings):
        told['at'] = moments.moment(report, finding)
    data = {'report': said, 'begin': begin, 'end': end, 'strides': STRIDES,
            'causes': _causes(source, scope), 'environment': graph.environment(source.folders),
            'series': series.tell(source.db, scope, begin, end),
            'lanes': lanes.tell(source.db, scope, begin, end).as_json()}
    pages.write(file, 'report', STYLES, SCRIPTS, data)


def _causes(source: Source, scope: Scope) -> list:
    """What `hak oom` says of the whole recording."""
    return [{'pid': process.pid, 'name': process.name, 'cause': each.cause,
             'title': CAUSES[each.cause], 'confidence': each.confidence, 'weight': each.weight,
             'time': each.first_time, 'change': each.change,
             'evidence': [{'text': fact.text, 'time': fact.time} for fact in each.evidence]}
            for process in judge.judge(source, str(source.trace)) for each in process.verdicts
            if scope.pid in (None, process.pid)]
