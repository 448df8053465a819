"""Run a local AWS, a program that imitates AWS on this machine, until Ctrl-C."""

import argparse
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path

from localaws.aws import PORT, Engine, LocalAws, LocalError
from localaws.environment import client_variables
from localaws.process_groups import STOP_SIGNALS
from localaws.settings import Settings


def main() -> None:
    """Parse the command line, and run the local AWS in the foreground."""
    parser = argparse.ArgumentParser(prog="python -m localaws", description=__doc__)
    parser.add_argument(
        "--port",
        type=int,
        default=PORT,
        help="port of the local AWS; if another process uses it, a free port is used (default: %(default)s)",
    )
    parser.add_argument(
        "--project", type=Path, default=Path.cwd(), help="folder of the CDK app (default: the current folder)"
    )
    parser.add_argument("--folder", type=Path, help="folder for logs and other files (default: a temporary folder)")
    parser.add_argument(
        "--seconds-per-minute",
        type=float,
        default=Settings().seconds_per_minute,
        help="length of a minute in rate(...) schedules and health checks (default: %(default)s)",
    )
    arguments = parser.parse_args()
    settings = Settings(project=str(arguments.project.resolve()), seconds_per_minute=arguments.seconds_per_minute)
    for stop_signal in STOP_SIGNALS:
        signal.signal(stop_signal, _interrupt)
    with tempfile.TemporaryDirectory(prefix="localaws-") as temporary_folder:
        aws = LocalAws((arguments.folder or Path(temporary_folder)).resolve(), settings)
        error = _run_until_interrupted(aws, arguments.port)
    if error:
        sys.exit(f"error: {error}")
    print("==> stopped: no process of the local AWS is left")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _run_until_interrupted(aws: LocalAws, port: int) -> LocalError | None:
    try:
        _run(aws, port)
    except KeyboardInterrupt:
        return None
    except LocalError as error:
        return error
    finally:
        for stop_signal in STOP_SIGNALS:
            signal.signal(stop_signal, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the clean-up
        aws.stop()
    return None


def _run(aws: LocalAws, port: int) -> None:
    engine = aws.start(port)
    if port and engine.port != port:
        print(f"==> another process uses port {port}, so the local AWS uses port {engine.port}")
    print(f"==> the local AWS answers at {engine.endpoint} (log: {aws.log_file})")
    print(f"    containers: {engine.tool.name} ({engine.tool.why})")
    print(_instructions(aws, engine), flush=True)
    while aws.alive_engine():
        time.sleep(0.5)
    raise LocalError(f"the local AWS has ended unexpectedly. The last lines of its log:\n{aws.log_tail()}")


def _instructions(aws: LocalAws, engine: Engine) -> str:
    variables = client_variables(engine.endpoint, aws.folder)
    exports = (f"    export {name}={shlex.quote(value)}" for name, value in variables.items())
    return "\n".join(
        [
            "",
            "Type this line in another shell. After that, aws, cdk, curl and the AWS SDKs use the local AWS there:",
            f"    . {shlex.quote(str(aws.env_file))}",
            "The file contains all variables. A program that builds no container images needs only these:",
            *exports,
            "",
            "Ctrl-C ends the local AWS and everything in it.",
        ]
    )


if __name__ == "__main__":
    main()
