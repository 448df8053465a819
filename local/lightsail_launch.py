"""Runs the launch script of a Lightsail server in a folder of this machine instead of on a server.

The shell and the script are real. The script reads its metadata from a fake metadata service and writes a real page.
The real apt-get and systemctl would change this machine. So the script calls replacements, which only write each
command into a file. The folder contains /etc and /var.
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
TOKEN = "a-session-token"  # noqa: S105 - the fake metadata service sends this value to every client
_WRITE_COMMAND = '#!/bin/sh\necho "{name} $*" >> "$COMMANDS"\n'


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeServer:
    """The folder in which the script runs, and the port of the metadata service and the web server."""

    folder: Path
    port: int

    @property
    def page(self) -> Path:
        """The page that the script writes."""
        return self.folder / "var" / "www" / "html" / "index.html"

    @property
    def update_settings(self) -> Path:
        """The file with the settings of automatic updates. The script writes this file."""
        return self.folder / "etc" / "apt" / "apt.conf.d" / "52-launch"

    @property
    def url(self) -> str:
        """The URL of the metadata service and the web server."""
        return f"http://127.0.0.1:{self.port}/"

    def commands(self) -> list[str]:
        """Return the apt-get and systemctl commands of the script, in the order of their calls."""
        return (self.folder / "commands").read_text(encoding="utf-8").splitlines()

    def replace_command(self, name: str, script: str) -> None:
        """Replace a command by a shell script. The launch script then calls the shell script."""
        path = self.folder / "bin" / name
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run the script with sh, as Lightsail does. Local paths and URLs replace the paths and URLs of a server."""
        for server_path, local_path in {
            "/etc/": "./etc/",
            "/var/": "./var/",
            "http://169.254.169.254/": self.url,
            "http://127.0.0.1/": self.url,
        }.items():
            script = script.replace(f" {server_path}", f" {local_path}").replace(f"={server_path}", f"={local_path}")
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
def fake_server(folder: Path, metadata: Mapping[str, str] = METADATA) -> Iterator[FakeServer]:
    """Prepare the folder. Run the metadata service and the web server until the end of the `with` block."""
    for path in ("bin", "etc/apt/apt.conf.d", "var/www/html"):
        (folder / path).mkdir(parents=True, exist_ok=True)
    (folder / "commands").write_text("", encoding="utf-8")
    with _server(folder / "var" / "www" / "html", metadata) as port:
        server = FakeServer(folder=folder, port=port)
        for name in ("apt-get", "systemctl"):
            server.replace_command(name, _WRITE_COMMAND.format(name=name))
        yield server


@contextlib.contextmanager
def _server(pages: Path, metadata: Mapping[str, str]) -> Iterator[int]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(pages))  # type: ignore[arg-type] # the base class gets three arguments

        def do_PUT(self) -> None:
            if self.path == "/latest/api/token" and self.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
                self._answer(200, TOKEN)
            else:
                self._answer(400, "")

        def do_GET(self) -> None:
            if not self.path.startswith("/latest/meta-data/"):
                super().do_GET()
            elif self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
                self._answer(401, "")  # the token is missing, so the request uses IMDSv1, which is not allowed
            else:
                value = metadata.get(self.path.removeprefix("/latest/meta-data/"))
                self._answer(404 if value is None else 200, value or "")

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
