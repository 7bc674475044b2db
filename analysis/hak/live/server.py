"""The metrics where Prometheus fetches them: over HTTP, or in a file for node_exporter."""

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Optional

from hak.errors import HakError
from hak.reporters import openmetrics


@dataclass
class Published:
    """Handed from the thread that reads snapshots to those that answer requests."""
    told: Optional[dict] = None   # the last snapshot


@contextlib.contextmanager
def serving(address: tuple[str, int], published: Published) -> Iterator[str]:
    """Yields the address that is listened at."""
    try:
        server = ThreadingHTTPServer(address, _handler(published))
    except (OSError, OverflowError) as error:
        why = getattr(error, 'strerror', None) or error
        raise HakError(f'cannot listen at {address[0]}:{address[1]}: {why}',
                       'choose another') from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield '{}:{}'.format(*server.server_address[:2])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(published: Published) -> type:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10   # of a client that says nothing

        def do_GET(self):
            if self.path.partition('?')[0] != '/metrics':
                self.send_error(404, 'see /metrics')
            elif published.told is None:
                self.send_error(503, 'no snapshot yet')
            else:
                wanted = 'application/openmetrics-text' in self.headers.get('Accept', '')
                form = openmetrics.OPENMETRICS if wanted else openmetrics.PLAIN
                body = openmetrics.text(published.told, form).encode()
                self.send_response(200)
                self.send_header('Content-Type', form)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


def replace(path: Path, text: str) -> None:
    """At once: who reads it sees all of one snapshot."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with open(handle, 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
