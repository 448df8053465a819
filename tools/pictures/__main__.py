"""Make the pictures of the documents. `make docs` runs this after `make local`, if the machine has a Chromium."""

import argparse
import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from local.console_process import ConsoleProcess
from local.project import FOLDER, ROOT, local_aws
from tools.pictures.recording import record, write_animation

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PICTURES = ROOT / "docs" / "pictures"
WIDTH, MAX_HEIGHT = 1100, 900


@dataclass(frozen=True)
class Shot:
    """A screenshot of a page of the console."""

    name: str
    path: str
    ready: str
    """A CSS selector. The page is complete when it has this element."""
    prepare: Callable[[Page], None] = lambda _: None
    """What to do on the page first."""


def say_hello(page: Page) -> None:
    """Join the room of the board, and send a message."""
    page.click("button:text-is('Join')")
    page.fill("[data-send] input", "Hello, is anybody here?")
    page.click("[data-send] button[type=submit]")


SHOTS = (
    Shot("start", "/", ".card:nth-child(10)"),
    *(
        Shot(stem, f"/examples/{stem}", "h1")
        for stem in (
            *("thumbnail", "cron", "api", "ecr", "ecs_ec2", "fargate", "batch", "lightsail", "function_image"),
        )
    ),
    Shot("websocket", "/examples/websocket", "[data-messages] li", prepare=say_hello),
    Shot("events", "/events", "h1"),
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the Chromium of this machine, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def write_screenshots(browser: Browser, address: str, folder: Path) -> None:
    """Write each page of the console as two pictures: with light and with dark colours."""
    for shot in SHOTS:
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": WIDTH, "height": MAX_HEIGHT}, color_scheme=scheme)
            page.goto(f"{address}{shot.path}", wait_until="load")
            shot.prepare(page)
            page.locator(shot.ready).first.wait_for()
            # The browser would load a picture with `loading="lazy"` later.
            page.evaluate(
                "Promise.all([...document.images].map(i => { i.loading = 'eager'; return i.decode().catch(() => 0) }))"
            )
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            file = folder / f"{shot.name}-{scheme}.webp"
            picture.save(file, quality=80, method=6)
            print(f"    {file.relative_to(ROOT)}: {file.stat().st_size / 1000:.0f} kB", flush=True)
            page.close()


def main() -> None:
    """Parse the command line, and make the pictures."""
    parser = argparse.ArgumentParser(prog="python -m tools.pictures", description=__doc__)
    parser.add_argument("--record", action="store_true", help="also record `make local`, which takes a minute")
    arguments = parser.parse_args()
    console = ConsoleProcess(local_aws(FOLDER))
    if CHROMIUM is None or not (arguments.record or console.is_alive()):
        missing = "a local deployment (make local)" if CHROMIUM else "Chromium"
        print(f"==> the pictures in docs/pictures stay as they are, because they need {missing}")
        return
    PICTURES.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        if arguments.record:
            write_animation(record(["make", "local", "OPEN=no"], ROOT), browser, PICTURES / "make-local.webp")
        write_screenshots(browser, f"http://127.0.0.1:{console.last_state()['port']}", PICTURES)


if __name__ == "__main__":
    main()
