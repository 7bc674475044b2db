"""The metrics where Prometheus fetches them: over HTTP, or in a file for node_exporter."""

import contextlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Optional

from hak import owned, ui
from hak.errors import HakError
from hak.reporters import openmetrics

# Clients that are served at once: each costs a thread for as long as it says nothing.
CLIENTS = 32


@dataclass
class Published:
    """Handed from the thread that reads snapshots to those that answer requests."""
    told: Optional[dict] = None   # the last snapshot


@contextlib.contextmanager
def serving(address: tuple[str, int], published: Published) -> Iterator[str]:
    """Yields the address that is listened at."""
    try:
        server = _Server(address, _handler(published))
    except (OSError, OverflowError) as error:
        why = getattr(error, 'strerror', None) or error
        raise HakError(f'cannot listen at {address[0]}:{address[1]}: {why}',
                       'choose another') from None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield '{}:{}'.format(*server.server_address[:2])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 4 * CLIENTS   # that wait for their turn

    def __init__(self, address: tuple[str, int], handler: type):
        self._places = threading.BoundedSemaphore(CLIENTS)
        super().__init__(address, handler)

    def verify_request(self, request, client_address) -> bool:
        """One too many is closed at once, and may come again."""
        return self._places.acquire(blocking=False)

    def process_request(self, request, client_address) -> None:
        try:
            super().process_request(request, client_address)
        except BaseException:   # no thread was to be had
            self._places.release()
            raise

    def process_request_thread(self, request, client_address) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request, client_address) -> None:
        """That a client has gone, or says nothing, is its own affair."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            ui.note(f'a request for the metrics failed: {error!r}')


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
    """At once: who reads it sees all of one snapshot. The folder may be another user's."""
    with owned.opened(path.parent) as folder:
        folder.replace(path.name, text.encode(), 0o644)
