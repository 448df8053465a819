"""A small web site on this machine, which a function can check. The site is down while a certain file exists."""

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

UP, DOWN = b"The site is up.\n", b"The site is down.\n"


def serve(port: int, down_file: Path) -> None:
    """Start the web site on a port of 127.0.0.1. The site ends with this process. Raises OSError for a used port."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_down = down_file.exists()
            body = DOWN if is_down else UP
            self.send_response(HTTPStatus.SERVICE_UNAVAILABLE if is_down else HTTPStatus.OK)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", port), Site)
    threading.Thread(target=server.serve_forever, daemon=True, name="site").start()
