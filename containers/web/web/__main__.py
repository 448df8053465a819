"""Run the web service until the process gets SIGTERM or SIGINT: `python -m web`."""

import signal
import sys


def main() -> None:
    """Run the server. The exit status is 0 after SIGTERM or SIGINT."""
    # Linux ignores a signal to process 1 of a container unless the process has a handler. So the handlers come first.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    from web.server import serve  # noqa: PLC0415 - the handlers must exist before the slow imports

    serve()


if __name__ == "__main__":
    main()
