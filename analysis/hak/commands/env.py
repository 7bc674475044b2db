"""hak env: what to set where something else starts the program."""

import argparse
import os
import shlex
import sys

from hak import preload, ui

EPILOG = '''
  eval "$(hak env)"                          for what this shell starts from now on
  hak env --plain >> /etc/default/myservice  for a service with an EnvironmentFile=
  hak env --systemd > /etc/systemd/system/myservice.service.d/hakmem.conf
                                             for a service: a drop-in for its unit
  docker run $(hak env --docker) IMAGE       for a container

The programs are traced by whichever session daemon they find, such as that of `hak flight`;
`hak record` is not needed then.
'''


def prepare_parser(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    form = parser.add_mutually_exclusive_group()
    form.add_argument('--plain', action='store_true', help='NAME=value lines instead of shell code')
    form.add_argument('--systemd', action='store_true', help="a drop-in for a service's unit")
    form.add_argument('--docker', action='store_true', help='options of `docker run` and podman')
    form.add_argument('--json', action='store_true', help='a JSON object')


def run(args: argparse.Namespace) -> int:
    values = preload.changes(os.environ)
    if args.json:
        ui.print_json(values)
    elif args.docker:
        print(' '.join(map(shlex.quote, _docker(values))))
    elif args.systemd:
        print('\n'.join(['[Service]', *(f'Environment={_systemd(name, value)}'
                                        for name, value in values.items())]))
    else:
        for name, value in values.items():
            line = f'{name}={value}' if args.plain else f'export {name}={shlex.quote(value)}'
            sys.stdout.write(line + '\n')
    return 0


def _systemd(name: str, value: str) -> str:
    """In unit files % begins a specifier, and \\ and " mean something between quotes."""
    for mark, written in (('\\', '\\\\'), ('"', '\\"'), ('%', '%%')):
        value = value.replace(mark, written)
    return f'"{name}={value}"'


def _docker(values: dict[str, str]) -> list[str]:
    """The library and the daemon's sockets, where the program looks for them; pids that the
    daemon can tell apart; the shared memory through which a daemon that starts wakes programs."""
    from hak import daemon, paths

    words = ['--pid=host', '--ipc=host']
    if os.geteuid() == 0:
        words += ['--volume', f'{daemon.RUN}/lttng:/var/run/lttng']
    else:
        sockets = daemon.users_home() / '.lttng'
        words += [f'--user={os.geteuid()}', '--volume', f'{sockets}:{sockets}']
        values = {**values, 'LTTNG_HOME': str(sockets.parent)}
    library = paths.library_dir()
    words += ['--volume', f'{library}:{library}:ro']
    return [*words, *(word for item in values.items() for word in ('--env', '='.join(item)))]
