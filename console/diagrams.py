"""Draw the diagrams of the examples and lessons: mermaid flowcharts become SVG pictures.

Node runs beautiful-mermaid, which needs no browser. The pictures stay in a folder, because Node needs half a second.
"""

import hashlib
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Collection
from pathlib import Path

from console.sketches import sketch

DRAWING_PROGRAM = Path(__file__).with_name("draw.mjs")
SECONDS = 60
"""The maximum time for drawing. A busy machine needs a few seconds."""


class Diagrams:
    """Draws flowcharts, and keeps the pictures in a folder."""

    def __init__(self, folder: Path) -> None:
        """`folder` is created when the first picture is drawn."""
        self._folder = folder
        self._texts: dict[str, str] = {}
        self._lock = threading.Lock()

    def name(self, text: str) -> str:
        """Return the name of the picture of a flowchart. `picture` draws it."""
        name = hashlib.sha256(DRAWING_PROGRAM.read_bytes() + text.encode()).hexdigest()[:16]
        self._texts[name] = text
        return name

    def sketch(self, name: str) -> str:
        """Return the name of the sketch of a known diagram."""
        return self.name(sketch(self._texts[name]))

    def picture(self, name: str) -> str | None:
        """Return the picture as SVG, or None for an unknown name, or if this machine has no Node."""
        if not re.fullmatch(r"[0-9a-f]{16}", name):
            return None
        file = self._folder / f"{name}.svg"
        with self._lock:  # the first request draws the pictures of all diagrams, and the other requests wait
            if not file.exists() and name in self._texts:
                self._draw([known for known in self._texts if not (self._folder / f"{known}.svg").exists()])
        return file.read_text(encoding="utf-8") if file.exists() else None

    def _draw(self, names: Collection[str]) -> None:
        node = shutil.which("node")
        if node is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        drawn = subprocess.run(
            [node, str(DRAWING_PROGRAM)],
            input=json.dumps({name: self._texts[name] for name in names}),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        for name, svg in json.loads(drawn.stdout or "{}").items():
            (self._folder / f"{name}.svg").write_text(svg, encoding="utf-8")
