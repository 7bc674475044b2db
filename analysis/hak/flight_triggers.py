"""The conditions under which a snapshot is taken, each a trigger in the session daemon.

A trigger fires once: its action's rate policy is once-after:1, so that without anybody's help a
storm of events leaves one snapshot. The watcher then removes the trigger, which spares program
and daemon the rest of the storm, and adds it again later.

LTTng tells the daemon of an event before it records it, and the snapshot may be taken in between.
So what triggers is another event, which the allocator tells after that of what went wrong.
"""

from dataclasses import dataclass

from hak import catalogue
from hak.lttng import Client, elements

TRIGGER_ACTION = 'once-after:1'


@dataclass(frozen=True)
class Condition:
    """`name` is also how the snapshots it causes are called."""
    name: str
    event: str
    filter: str = ''


CONDITIONS = (
    # `what` is of the enumeration trouble_what, whose numbers are part of the trace format.
    Condition('oom', 'trouble', 'what == 0'),
    Condition('pressure', 'trouble', 'what == 1'),
    Condition('map_fail', 'trouble', 'what == 2'),
    Condition('shared_fail', 'trouble', 'what == 3'),
    Condition('hdr_reset', 'trouble', 'what == 4'),
    Condition('double_free', 'trouble', 'what == 5'),
    # What the first refusal of a storm, or the first misuse, led to.
    Condition('a_moment_after', 'aftermath', 'phase == 1'),
    Condition('a_second_after', 'aftermath', 'phase == 2'),
)


@dataclass(frozen=True)
class Trigger:
    """What the daemon says of one of ours."""
    discarded: int    # messages of programs that did not reach the daemon
    failed: int       # snapshots that could not be taken


def known() -> list[Condition]:
    """Those whose events the allocator has."""
    events = {event.name for event in catalogue.events()}
    return [condition for condition in CONDITIONS if condition.event in events]


def arm(client: Client, session: str, output: str, condition: Condition) -> None:
    chosen = [f'--filter={condition.filter}'] if condition.filter else []
    client.run('add-trigger', f'--name={_name(session, condition.name)}',
               '--condition=event-rule-matches', '--type=user',
               f'--name=hakmem:{condition.event}', *chosen,
               '--action=snapshot-session', session, f'--path={output}',
               f'--name={condition.name}', f'--rate-policy={TRIGGER_ACTION}')


def disarm(client: Client, session: str, name: str) -> None:
    client.run('remove-trigger', _name(session, name))


def armed(client: Client, session: str) -> dict[str, Trigger]:
    """Condition's name -> its trigger."""
    prefix = _name(session, '')
    found = {}
    for element in elements(client.run('--mi', 'xml', 'list-triggers'), 'triggers/trigger'):
        name = element.findtext('{*}name') or ''
        if name.startswith(prefix):
            found[name.removeprefix(prefix)] = Trigger(
                _errors(element, 'discarded tracer messages'),
                _errors(element, 'total execution failures'))
    return found


def _errors(trigger, what: str) -> int:
    return sum(int(result.findtext('.//{*}value') or 0)
               for result in trigger.findall('.//{*}error_query_result')
               if result.findtext('{*}name') == what)


def _name(session: str, condition: str) -> str:
    return f'{session}:{condition}'
