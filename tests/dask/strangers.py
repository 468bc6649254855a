"""Who may listen where a Dask scheduler was expected, and addresses where nobody does."""

import socket
import socketserver
import threading
from contextlib import contextmanager

NOBODY = [
    "tcp://127.0.0.1:1",
    "tls://127.0.0.1:1",
    "ws://127.0.0.1:1",
    "nonsense://x",
    "inproc://x",
    "inproc://127.0.0.1/1/1",
    "tcp://a b",
    "?",
    "",
    "tcp://",
    "localhost",
    "tcp://localhost:99999",
    "tcp://localhost:x",
    "tcp://no-such-host.invalid:8786",
]


class Silent(socketserver.BaseRequestHandler):
    """Listens, and says nothing as long as the other one stays."""

    def handle(self):
        while self.request.recv(1 << 16):
            pass


class Closing(socketserver.BaseRequestHandler):
    """Hangs up at once."""


class Web(socketserver.StreamRequestHandler):
    """Answers whatever it is asked as servers of web pages do."""

    def handle(self):
        self.request.recv(1 << 16)
        self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" * 9)


class Talking(socketserver.StreamRequestHandler):
    """Speaks first, and stays."""

    def handle(self):
        self.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        Silent.handle(self)


STRANGERS = {kind.__name__.lower(): kind for kind in (Silent, Closing, Web, Talking)}


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    address_family = socket.AF_INET

    def handle_error(self, request, address):
        """Be quiet of those who hang up."""


@contextmanager
def stranger(kind):
    """Let one listen on a port of its own; the block gets the address."""
    with _Server(("127.0.0.1", 0), STRANGERS[kind]) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
