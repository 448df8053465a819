"""Runs a command for as long as standard input is open: a pipe from whoever started it, which ends with it.

`python local/leash.py COMMAND…`: so the command ends with the engine, however that ends. It is asked to first, and
killed when it takes too long.
"""

import os
import signal
import subprocess
import sys
import threading

ASKED_SECONDS = 10


def main() -> None:
    """Run the command, pass on SIGTERM, and exit as it does."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())

    def end_with_the_input() -> None:
        os.read(0, 1)
        process.terminate()
        try:
            process.wait(ASKED_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()

    threading.Thread(target=end_with_the_input, daemon=True).start()
    code = process.wait()
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
