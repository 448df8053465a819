"""Serve until a signal to stop comes: `python -m web`."""

import signal
import sys


def main() -> None:
    """Serve. The exit status is 0 after SIGTERM or SIGINT."""
    # Process 1 of a container has no default signal handlers, so a signal during the imports would be lost.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    from web.server import serve  # noqa: PLC0415 - the slow imports come after the handlers

    serve()


if __name__ == "__main__":
    main()
