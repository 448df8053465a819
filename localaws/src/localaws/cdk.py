"""The CDK CLI, run for real against the local AWS."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from localaws.aws import Engine, LocalAws, LocalError
from localaws.environment import ACCOUNT, REGION
from localaws.process_groups import end_group, held_back


class Cdk:
    """The CLI, its output in `cdk.log` of the local AWS's folder."""

    def __init__(self, aws: LocalAws, engine: Engine, context: Mapping[str, str] | None = None) -> None:
        """`context` is given to the app with `-c`."""
        self._aws = aws
        self._project = Path(aws.settings.project)
        self._command = self._project / "node_modules" / ".bin" / "cdk"
        self._environment = aws.environment(engine)
        self._context = context or {}
        self._log = aws.folder / "cdk.log"
        self.assembly = aws.folder / "cdk.out"

    def synth(self) -> None:
        """Synthesize the app, as it is set for this machine, into the local AWS's folder."""
        context = [part for name, value in self._context.items() for part in ("-c", f"{name}={value}")]
        self._run("synth", "--quiet", *context, "--output", str(self.assembly), what="synthesizing")

    def bootstrap(self) -> None:
        """Make the bucket and roles that the CLI deploys with, as once in every account."""
        self._run("bootstrap", f"aws://{ACCOUNT}/{REGION}", "--app", str(self.assembly), what="bootstrapping")

    def deploy(self) -> None:
        """Deploy every stack of the assembly."""
        self._run("deploy", "--require-approval", "never", *self._all_at_once(), what="deploying")

    def destroy(self) -> None:
        """Delete every stack of the assembly."""
        self._run("destroy", "--force", *self._all_at_once(), what="destroying")

    def _all_at_once(self) -> tuple[str, ...]:
        return "--all", "--concurrency", "8", "--app", str(self.assembly), "--progress", "events"

    def _run(self, *arguments: str, what: str) -> None:
        started = time.monotonic()
        _show_progress(what, "...")
        with self._log.open("w") as log, contextlib.ExitStack() as at_the_end:
            with held_back():
                process = subprocess.Popen(
                    [str(self._command), *arguments],
                    cwd=self._project,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    start_new_session=True,  # or what it starts in turn would outlive it: node, an image's build
                )
                at_the_end.enter_context(process)
                at_the_end.callback(end_group, process.pid, process)  # before that waits for the deployment's end
            assert process.stdout is not None  # noqa: S101 - for the type checker
            ended = self._end_with_the_engine(process)
            for line in process.stdout:
                log.write(line)
                _show_progress(what, line)
            process.wait()
        _show_progress(what, "")
        if ended.is_set():
            raise LocalError(f"the local AWS ended while {what}; its log: {self._aws.log}")
        if process.returncode:
            raise LocalError(f"{what} failed: cdk {' '.join(arguments)}\n{_tail(self._log)}")
        print(f"    {what}: {time.monotonic() - started:.1f} s", flush=True)

    def _end_with_the_engine(self, process: subprocess.Popen[str]) -> threading.Event:
        # Left alone, the CLI tries to reach an engine that is gone for two minutes.
        ended = threading.Event()

        def watch() -> None:
            while process.poll() is None:
                if self._aws.recorded() is None:
                    ended.set()
                    end_group(process.pid, process)
                time.sleep(0.5)

        threading.Thread(target=watch, daemon=True).start()
        return ended


def _show_progress(what: str, line: str) -> None:
    # One line that changes in place, where a person looks on; in a log, only the line at the end.
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\033[K    {what}: {line.strip()[:90]}" if line else "\r\033[K")
        sys.stdout.flush()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text().splitlines()[-25:]) + f"\n(all of it: {log})"
