"""Run a command, and stop it when the parent process ends.

The parent starts `python run_with_parent.py COMMAND…` with a pipe as standard input. When the parent ends, even by
SIGKILL, the operating system closes the pipe. Then this program sends SIGTERM to the command, and SIGKILL if the
command still runs after STOP_SECONDS.
"""

import os
import signal
import subprocess
import sys
import threading

STOP_SECONDS = 10


def main() -> None:
    """Run the command, send it each SIGTERM that this process receives, and exit with its exit status."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())

    def stop_with_parent() -> None:
        os.read(0, 1)  # returns when the pipe closes
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()

    threading.Thread(target=stop_with_parent, daemon=True).start()
    status = process.wait()
    sys.exit(status if status >= 0 else 128 - status)  # a shell also adds 128 to the number of the signal


if __name__ == "__main__":
    main()
