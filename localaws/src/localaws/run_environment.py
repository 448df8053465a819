"""Run an environment of an image function, and end it together with the engine.

The engine starts `python run_environment.py END COMMAND…`. COMMAND runs the environment: a container, or a process in
its place. END is a shell command that ends the container, or an empty text for a process. SIGTERM to this program ends
the environment. The environment also ends soon after the engine, even if the engine was killed.
"""

import os
import shlex
import signal
import subprocess
import sys

PAUSE_SECONDS = 0.5
"""The time between two checks of the engine's process."""


def main() -> None:
    """Run the environment, and exit with its exit status."""
    engine = os.getppid()
    end_command, command = shlex.split(sys.argv[1]), sys.argv[2:]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def end(*_: object) -> None:
        if end_command:
            # `process` is only the client of the container tool. This program may be killed, so it does not wait.
            subprocess.Popen(end_command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        else:
            process.kill()

    signal.signal(signal.SIGTERM, end)
    while True:
        try:
            status = process.wait(PAUSE_SECONDS)
            break
        except subprocess.TimeoutExpired:
            if os.getppid() != engine:  # the engine has ended, so this process has another parent
                end()
    sys.exit(status if status >= 0 else 128 - status)  # a shell also adds 128 to the number of the signal


if __name__ == "__main__":
    main()
