"""Resource limits that are meant for the recorded program and would harm its session daemon."""

import contextlib
import os
import resource

# A daemon with little address space cannot map its buffers, and one that may write only small
# files truncates the trace.
LIFTED = (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU,
          resource.RLIMIT_NOFILE)
# LTTng's daemons run some thirty threads; this is the stack they want at least.
SMALL_STACK = 2 << 20


def lift() -> None:
    """To the hard limit, and for root beyond it. Runs in a daemon before exec, and in hak itself
    once the program runs, which has its limits from us."""
    for which in LIFTED:
        _, hard = resource.getrlimit(which)
        _set(which, hard, hard)
        if os.geteuid() == 0 and which != resource.RLIMIT_NOFILE:
            _set(which, resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    if confined():
        _set(resource.RLIMIT_STACK, SMALL_STACK, resource.getrlimit(resource.RLIMIT_STACK)[1])


# By the letter of `ulimit`, what stacks and buffers are taken from.
MEMORY = {'v': resource.RLIMIT_AS, 'd': resource.RLIMIT_DATA}


def confined() -> list[str]:
    """Of what is memory short, and nothing to be done about it? Letters of MEMORY."""
    return [letter for letter, which in MEMORY.items()
            if resource.getrlimit(which)[1] != resource.RLIM_INFINITY]


def for_the_program_alone() -> str:
    """A remedy, if the daemons may lack memory by limits that are meant for the program; or ''."""
    commands = [f'ulimit -{letter} {resource.getrlimit(MEMORY[letter])[1] >> 10}'
                for letter in confined()]
    return ("limit the program alone: hak record -- sh -c "
            f"'{'; '.join(commands)}; exec CMD'") if commands else ''


def thrifty() -> dict[str, str]:
    """Environment of a daemon that is confined: no 64 MiB reserved for every thread's malloc."""
    return {'MALLOC_ARENA_MAX': '1'} if confined() else {}


def _set(which: int, soft: int, hard: int) -> None:
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(which, (soft, hard))
