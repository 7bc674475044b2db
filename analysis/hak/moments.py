"""Where in a recording a finding can be seen."""

from typing import Optional

from hak.findings import MEMORY, Finding

_FAILURES = ('hdr_reset', 'double_free', 'invalid_free', 'oom')
_REFUSALS = {'soft_cap_stranded': 'FAIL_SOFT_CAP', 'soft_cap_unlisted': 'FAIL_SOFT_CAP',
             'soft_cap_low': 'FAIL_SOFT_CAP', 'scan_limit': 'FAIL_SCAN_LIMIT',
             'map_fail_refused': 'FAIL_MAP'}
_ACE = {'map_fail': 'MAP_FAIL_OS', 'ace_exhaustion': 'EXHAUSTION', 'ace_threshold': 'THRESHOLD'}
# The section of the page that has the rest.
_SECTIONS = {'stage_3': 'stages', 'superslab_churn': 'memory', 'purge_churn': 'memory',
             'unsteady': 'caps', 'size_refused': 'sizes', 'losses': 'losses', 'pressure': 'memory',
             'dump_incomplete': 'recording', 'violations': 'recording', 'ace_gave_up': 'failures',
             **dict.fromkeys(MEMORY, 'memory'), **dict.fromkeys(_ACE, 'failures'), **dict.fromkeys(_FAILURES, 'misuse'),
             **dict.fromkeys(_REFUSALS, 'lanes')}


def moment(report, finding: Finding) -> dict:
    """section: of the page; time, pid, cls, ss, slab: what to look at there, None: nothing of it."""
    at = _row(report, finding) or {}
    return {'section': _SECTIONS.get(finding.name, 'lanes'), 'cls': finding.cls,
            'time': at.get('time', at.get('first')), 'pid': at.get('pid'), 'ss': at.get('ss'),
            'slab': at.get('slab')}


def _row(report, finding: Finding) -> Optional[dict]:
    name = finding.name
    if name in _FAILURES:
        return _first(report.failures[name])
    if name in _ACE:
        return _first(row for row in report.ace_failures if row['reason'] == _ACE[name])
    if name in _REFUSALS:
        return _first(row for row in report.shared_fail if row['cls'] == finding.cls)
    if name == 'unsteady':
        return _first(row for row in [*report.caps, *report.sizes] if row['cls'] == finding.cls)
    if name == 'size_refused':
        return _first(row for row in report.sizes if row['why'] == 'SIZE_MAP_FAIL')
    if name == 'pressure':
        return _first(report.pressure)
    if name == 'losses':
        return _first({'time': row['begin']} for row in report.lost['intervals'] if row['begin'])
    return None


def _first(rows) -> Optional[dict]:
    return min(rows, key=lambda row: row.get('time', row.get('first')) or 0, default=None)
