"""`python -m web`: serve until told to stop."""

import signal
import sys


def main() -> None:
    """Serve; the exit status is 0 after SIGTERM or SIGINT."""
    # As process 1 of a container there is no default action: a signal that comes while the imports run would be lost.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    from web.server import serve  # noqa: PLC0415 - these imports

    serve()


if __name__ == "__main__":
    main()
