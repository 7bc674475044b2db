"""SuperSlabs that are too small: a class maps them, gives them back and maps them again.

A program that only grows maps one SuperSlab after the other as well, whatever their size.
"""

from collections.abc import Iterator

from hak import ui
from hak.geometry import class_text
from hak.oom.facts import Facts
from hak.oom.verdict import Evidence, Insufficient, Verdict

CAUSES = ('superslab_too_small',)
# The first part of what a program acquires: it gets its memory together. Then it may rest as long
# as it likes.
WARM_UP = 0.25
# Of the acquires after it, no more should be served by a SuperSlab that comes in place of one that
# went; fewer acquires say nothing.
STAGE_3_MOST, ACQUIRES_LEAST = 0.05, 100
LARGEST_LG = 21


def judge(facts: Facts) -> Iterator[Verdict | Insufficient]:
    begin = facts.db.acquired_by(facts.process['proc'], WARM_UP)
    classes = [row for row in facts.db.mapping_classes(facts.process['proc'], begin)
               if row['smallest'] < LARGEST_LG]
    acquires = facts.db.acquires_since(facts.process['proc'], begin)
    again = sum(min(row['maps'], row['unmapped']) for row in classes)
    if acquires >= ACQUIRES_LEAST and again > STAGE_3_MOST * acquires:
        yield _verdict(facts, classes, again, acquires)
    elif facts.gap:
        yield Insufficient('superslab_too_small', facts.gap, facts.next_time)


def _verdict(facts: Facts, classes: list, again: int, acquires: int) -> Verdict:
    share = again / acquires
    worst = max(classes, key=lambda row: min(row['maps'], row['unmapped']))
    mapped = sum(row['maps'] for row in classes)
    first = min(row['first'] for row in classes)
    frozen = facts.setting('HAKMEM_SS_LG', '0')
    evidence = [
        Evidence(f'after warm-up {mapped:,} SuperSlabs were mapped and '
                 f'{sum(row["unmapped"] for row in classes):,} of them went back, in '
                 f'{acquires:,} acquires', first,
                 {'acquires': acquires, 'mapped': mapped, 'again': again}),
        Evidence(f'most for class {class_text(worst["cls"])}: {worst["maps"]:,}, as small as '
                 f'{ui.size(1 << worst["smallest"])}', worst['first'],
                 {'cls': worst['cls'], 'maps': worst['maps'], 'lg': worst['smallest']})]
    if frozen != '0':
        evidence.append(Evidence(f'set: HAKMEM_SS_LG={frozen}', None, {'HAKMEM_SS_LG': frozen}))
    return Verdict('superslab_too_small', 0.8, first, share, evidence,
                   'export HAKMEM_SS_LG=21')
