"""What a recording says of one process."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Optional

from hak.db import Database

SLAB = 1 << 16


@dataclass
class Dump:
    """One complete state dump."""
    row: Any
    classes: dict[int, Any]
    pools: dict[str, Any]            # by the layer's name

    @property
    def time(self) -> int:
        return self.row['begin']

    @property
    def pools_mapped(self) -> int:
        return sum(pool['mapped'] for pool in self.pools.values())


class Facts:
    """Of one process, from the database of one recording; asked for when a rule needs it."""

    def __init__(self, db: Database, process: Any):
        self.db = db
        self.process = process
        self.began: int = process['began']
        self.ended: int = process['ended']

    def rows(self, table: str, order: str = '1') -> list:
        return self.db.rows_of(table, self.process['proc'], order)

    @cached_property
    def settings(self) -> dict[str, str]:
        """The knobs that are not at their default."""
        return {row['key']: row['value'] for row in self.rows('config') if not row['is_default']}

    def setting(self, knob: str, default: str) -> str:
        return self.settings.get(knob, default)

    # ---- is it all there? ----

    @cached_property
    def losses(self) -> list:
        """Losses of events that the rules count, while the process lived."""
        return [row for row in self.db.losses() if row['state'] and (
            row['end'] is None or row['end'] >= self.began) and (
            row['begin'] is None or row['begin'] <= self.ended)]

    @cached_property
    def whole(self) -> bool:
        """Is all of it there, from the process's begin on?"""
        return bool(self.process['complete']) and not self.losses

    @cached_property
    def gap(self) -> str:
        """Why events may be missing that no dump makes up for; '' if none are."""
        counted = [row for row in self.losses if row['kind'] != 'overwritten']
        if counted:
            many = sum(row['count'] or 0 for row in counted)
            return f'{many:,} events were lost' if many else 'events were lost, nobody knows how many'
        if not self.whole and not self.dumps:
            return "what came before the recording is not known: there is no state dump in it"
        return ''

    @property
    def next_time(self) -> str:
        lost = any(row['kind'] != 'overwritten' for row in self.losses)
        return 'hak record --buffer-size 4M -- CMD' if lost else 'hak record -- CMD'

    # ---- refusals ----

    @cached_property
    def fails(self) -> list:
        """Requests that every stage refused: by class and reason."""
        return [{**row, 'reason': self.db.label('fail_reason', row['reason'])}
                for row in map(dict, self.rows('fail_total', 'first'))]

    @cached_property
    def ace_fails(self) -> list:
        """What ACE's layers refused: by layer, reason and errno. passed_on: of sizes that belong
        to another layer, which had refused them before."""
        return [{**row, 'layer': self.db.label('ace_layer', row['layer']),
                 'reason': self.db.label('ace_reason', row['reason'])}
                for row in map(dict, self.db.ace_failures_of(self.process['proc']))]

    def share_of_refused(self, count: int) -> float:
        """Of all requests that the shared pool or the layer they belong to refused."""
        total = sum(row['count'] for row in self.fails)
        total += sum(row['count'] for row in self.ace_fails
                     if not row['passed_on'] and row['layer'] != 'TINY')
        return min(1.0, count / total) if total else 1.0

    def legacy_blocks(self, cls: int) -> int:
        return sum(row['count'] for row in self.rows('legacy_total') if row['cls'] == cls)

    # ---- state dumps ----

    @cached_property
    def dumps(self) -> list[Dump]:
        return list(self._dumps())

    @property
    def last_dump(self) -> Optional[Dump]:
        return self.dumps[-1] if self.dumps else None

    def _dumps(self) -> Iterator[Dump]:
        if self.db.meta['schema'] < 3:
            return
        for row in self.rows('dump', 'seq'):
            if row['complete']:
                yield Dump(row, {each['cls']: each for each in self._of('dump_class', row)},
                           {self.db.label('ace_layer', each['layer']): each
                            for each in self._of('dump_pool', row)})

    def _of(self, table: str, dump: Any) -> list:
        return self._by_seq(table).get(dump['seq'], [])

    def _by_seq(self, table: str) -> dict[int, list]:
        found: dict[int, list] = self._dumped.setdefault(table, {})
        if not found:
            for row in self.rows(table, 'seq'):
                found.setdefault(row['seq'], []).append(row)
        return found

    @cached_property
    def _dumped(self) -> dict[str, dict[int, list]]:
        return {}
