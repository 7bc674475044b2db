"""Remedies as `hak oom` prints them, applied word for word."""

import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Optional

import matrix
from group import Group


@dataclass
class Remedy:
    """`shell`: what precedes the program in its shell. `machine`: what root does before."""
    text: str
    shell: str = ''
    machine: list[str] = field(default_factory=list)

    def after(self, limit: str) -> str:
        """What precedes the program that was limited so before. The new limit is in the place of
        the old one, which cannot be raised again."""
        same = self.shell.split()[:2] == limit.split()[:2]
        return ' && '.join(filter(None, ['' if same else limit, self.shell]))


def in_shell(first: str) -> list[str]:
    """Words before those of a program, in whose shell something comes first."""
    return ['bash', '-c', f'{first} && exec "$@"', 'bash'] if first else []


def understood(text: str) -> Optional[Remedy]:
    """None: it is no command that ends anything, but says what to look at."""
    words = shlex.split(text)
    if words[0] in ('export', 'unset', 'ulimit'):
        return Remedy(text, shell=text)
    if words[0] in ('sysctl', 'echo'):
        return Remedy(text, machine=[text])
    return None


def apply(remedy: Remedy, group: Optional[Group], mib: int) -> None:
    """What concerns more than the program. `mib`: what the group was limited to so far."""
    if group:
        group.limit_to(mib)
    for command in remedy.machine:
        done = subprocess.run(['bash', '-ec', command], check=False, capture_output=True, text=True)
        assert done.returncode == 0, f'{command}: {done.stderr}'


def those_that_fail(name: str, order: int, cause: str, texts: list[str],
                    again: Callable[[str, Remedy], list[str]]) -> list[str]:
    """`again`: plays a scenario once more, with a remedy, under a name; the causes named then."""
    failed = []
    for number, text in enumerate(texts):
        remedy = understood(text)
        assert remedy, f'no remedy: {text}'
        ended = cause not in again(f'changed-{number}', remedy)
        matrix.note_remedy(name, order, number, text, ended)
        failed += [] if ended else [text]
    return failed
