"""SuperSlabs that are too small: a class maps them again and again."""

from collections.abc import Iterator

from hak import ui
from hak.geometry import class_text
from hak.oom.facts import Facts
from hak.oom.verdict import Evidence, Insufficient, Verdict

CAUSES = ('superslab_too_small',)
# The first part of the recorded time, in which a program gets its memory together.
WARM_UP = 0.25
# Of the acquires after it, stage 3 should not serve more; fewer acquires say nothing.
STAGE_3_MOST, ACQUIRES_LEAST = 0.05, 100
LARGEST_LG = 21


def judge(facts: Facts) -> Iterator[Verdict | Insufficient]:
    begin = facts.began + int((facts.ended - facts.began) * WARM_UP)
    classes = [row for row in facts.db.mapping_classes(facts.process['proc'], begin)
               if row['smallest'] < LARGEST_LG]
    acquires = facts.db.acquires_since(facts.process['proc'], begin)
    mapped = sum(row['maps'] for row in classes)
    if acquires >= ACQUIRES_LEAST and mapped > STAGE_3_MOST * acquires:
        yield _verdict(facts, classes, mapped, acquires)
    elif facts.gap:
        yield Insufficient('superslab_too_small', facts.gap, facts.next_time)


def _verdict(facts: Facts, classes: list, mapped: int, acquires: int) -> Verdict:
    share, worst = mapped / acquires, classes[0]
    unmapped = sum(row['unmapped'] for row in classes)
    first = min(row['first'] for row in classes)
    frozen = facts.setting('HAKMEM_SS_LG', '0')
    evidence = [
        Evidence(f'stage 3 mapped a SuperSlab for {share:.1%} of {acquires:,} acquires after '
                 f'warm-up, {ui.counted(unmapped, "SuperSlab")} of {mapped:,} went back', first,
                 {'acquires': acquires, 'mapped': mapped, 'unmapped': unmapped}),
        Evidence(f'most for class {class_text(worst["cls"])}: {worst["maps"]:,}, as small as '
                 f'{ui.size(1 << worst["smallest"])}', worst['first'],
                 {'cls': worst['cls'], 'maps': worst['maps'], 'lg': worst['smallest']})]
    if frozen != '0':
        evidence.append(Evidence(f'set: HAKMEM_SS_LG={frozen}', None, {'HAKMEM_SS_LG': frozen}))
    return Verdict('superslab_too_small', 0.8, first, share, evidence,
                   'export HAKMEM_SS_LG=21')
