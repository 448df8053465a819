"""Record a command in a terminal, and make an animated picture of it."""

import html
import io
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from fcntl import ioctl
from pathlib import Path

import pyte
from PIL import Image
from playwright.sync_api import Browser

COLUMNS, ROWS = 110, 30
SPEED = 8
"""The picture is this number of times as fast as the command."""
FRAME_SECONDS = 0.8
"""The time between two looks at the terminal, in real seconds."""
LAST_FRAME_MS = 6_000
"""The last frame stays for this time, so that people can read it."""
COLOURS: Mapping[str, str] = {
    "default": "#e6edf3", "green": "#6fd495", "red": "#ff9a92", "magenta": "#d2a8ff", "blue": "#7ab8ff",
    "cyan": "#79d6e0", "brown": "#f2be6a", "yellow": "#f2be6a", "brightblack": "#8fa3b7", "white": "#e6edf3",
}  # fmt: skip
"""The colours of the picture by pyte's names of the terminal's colours."""
PAGE = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #10151b; color: #e6edf3; }
pre { margin: 14px 18px; font: 15px/1.35 ui-monospace, "DejaVu Sans Mono", monospace; }
</style><pre></pre>"""

Screen = Sequence[str]
"""The lines of a terminal as HTML."""


def record(command: Sequence[str], folder: Path) -> list[tuple[float, Screen]]:
    """Run the command in a terminal. Return what the terminal shows: seconds since the start, and the screen.

    Raises subprocess.CalledProcessError if the command fails.
    """
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    stream.feed(f"$ {' '.join(command)}\r\n".encode())
    started = time.monotonic()
    frames = [(0.0, _lines(screen))]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # as without make
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        for data in _chunks(ours):
            stream.feed(data)
            seconds = time.monotonic() - started
            if seconds - frames[-1][0] >= FRAME_SECONDS:
                frames.append((seconds, _lines(screen)))
    frames.append((time.monotonic() - started, _lines(screen)))
    os.close(ours)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return frames


def _chunks(terminal: int) -> Iterator[bytes]:
    while True:
        select.select([terminal], [], [])
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux reports the end of the command as an error
            return
        if not data:
            return
        yield data


def _lines(screen: pyte.Screen) -> Screen:
    return ["".join(_span(screen.buffer[row][column]) for column in range(COLUMNS)).rstrip() for row in range(ROWS)]


def _span(character: pyte.screens.Char) -> str:
    text = html.escape(character.data)
    colour = COLOURS.get(character.fg, f"#{character.fg}")
    return text if colour == COLOURS["default"] else f'<span style="color:{colour}">{text}</span>'


def write_animation(frames: Sequence[tuple[float, Screen]], browser: Browser, file: Path) -> None:
    """Draw each screen with the browser, and write an animated WebP picture."""
    page = browser.new_page(viewport={"width": 1040, "height": 640})
    page.set_content(PAGE)
    pre = page.locator("pre")
    pictures, durations = [], []
    for (seconds, screen), (next_seconds, _) in zip(frames, [*frames[1:], frames[-1]], strict=True):
        pre.evaluate("(element, content) => { element.innerHTML = content }", "\n".join(screen))
        pictures.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
        durations.append(max(20, int((next_seconds - seconds) * 1_000 / SPEED)))
    durations[-1] = LAST_FRAME_MS
    page.close()
    pictures[0].save(
        file, save_all=True, append_images=pictures[1:], duration=durations, loop=0, quality=70, method=4, kmax=1000
    )
