"""Runs a Lightsail server's launch script in a folder instead of on a server, as far as that is possible.

The shell, the script, its requests for metadata and its page are real. What would change this machine is not done but
written down: apt-get and systemctl. And /etc and /var are in the folder.
"""

import contextlib
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

METADATA = {"placement/region": "us-east-1", "placement/availability-zone": "us-east-1a", "instance-type": "t3.nano"}
TOKEN = "a-session-token"  # noqa: S105 - what any IMDSv2 client is given here
_WRITTEN_DOWN = '#!/bin/sh\necho "{name} $*" >> "$COMMANDS"\n'


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """A folder in which the script runs, with the metadata service and the web server that it finds."""

    folder: Path
    port: int

    @property
    def page(self) -> Path:
        return self.folder / "var" / "www" / "html" / "index.html"

    @property
    def updates(self) -> Path:
        return self.folder / "etc" / "apt" / "apt.conf.d" / "52-launch"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def commands(self) -> list[str]:
        """The calls of apt-get and systemctl until now."""
        return (self.folder / "commands").read_text(encoding="utf-8").splitlines()

    def put(self, name: str, script: str) -> None:
        """Let this shell script stand for a command."""
        path = self.folder / "bin" / name
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run the script with this machine's sh, in which Lightsail runs it."""
        for there, here in {
            "/etc/": "./etc/",
            "/var/": "./var/",
            "http://169.254.169.254/": self.url,
            "http://127.0.0.1/": self.url,
        }.items():
            script = script.replace(f" {there}", f" {here}").replace(f"={there}", f"={here}")
        return subprocess.run(
            ["sh"],
            input=script,
            cwd=self.folder,
            env={
                "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "COMMANDS": str(self.folder / "commands"),
                "NO_PROXY": "127.0.0.1",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@contextlib.contextmanager
def sandbox(folder: Path, metadata: Mapping[str, str] = METADATA) -> Iterator[Sandbox]:
    """Make the folder ready and serve it, with the metadata, until the end of the block."""
    for path in ("bin", "etc/apt/apt.conf.d", "var/www/html"):
        (folder / path).mkdir(parents=True, exist_ok=True)
    (folder / "commands").write_text("", encoding="utf-8")
    with _server(folder / "var" / "www" / "html", metadata) as port:
        made = Sandbox(folder=folder, port=port)
        for name in ("apt-get", "systemctl"):
            made.put(name, _WRITTEN_DOWN.format(name=name))
        yield made


@contextlib.contextmanager
def _server(pages: Path, metadata: Mapping[str, str]) -> Iterator[int]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(pages))  # type: ignore[arg-type] # the server's own three

        def do_PUT(self) -> None:
            if self.path == "/latest/api/token" and self.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
                self._answer(200, TOKEN)
            else:
                self._answer(400, "")

        def do_GET(self) -> None:
            if not self.path.startswith("/latest/meta-data/"):
                super().do_GET()
            elif self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
                self._answer(401, "")  # IMDSv1 is turned away
            else:
                fact = metadata.get(self.path.removeprefix("/latest/meta-data/"))
                self._answer(404 if fact is None else 200, fact or "")

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
