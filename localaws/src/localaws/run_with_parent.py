"""Run a command for as long as standard input is open.

`python run_with_parent.py COMMAND…` is started with a pipe as its standard input. The pipe closes when the parent ends,
however it ends. Then the command gets SIGTERM, and SIGKILL if it still runs after ASKED_SECONDS.
"""

import os
import signal
import subprocess
import sys
import threading

ASKED_SECONDS = 10


def main() -> None:
    """Run the command, pass SIGTERM on to it, and exit with its exit status."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())

    def end_with_the_parent() -> None:
        os.read(0, 1)
        process.terminate()
        try:
            process.wait(ASKED_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()

    threading.Thread(target=end_with_the_parent, daemon=True).start()
    code = process.wait()
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
