"""Run the CDK CLI, unmodified, with the local AWS instead of a real account."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import PIPE, Popen

from localaws.aws import Engine, LocalAws, LocalError
from localaws.environment import ACCOUNT, REGION
from localaws.process_groups import end_process_group, running_program
from localaws.progress import shown_step


class Cdk:
    """The CDK CLI in the project's `node_modules`. Its output goes into `cdk.log` in the folder of the local AWS."""

    def __init__(
        self, aws: LocalAws, engine: Engine, context: Mapping[str, str] | None = None, *, quiet: bool = False
    ) -> None:
        """`context` contains the context values that the CLI passes to the app with `-c`.

        With `quiet`, the methods print nothing.
        """
        self._aws = aws
        self._project = Path(aws.settings.project)
        self._command = str(self._project / "node_modules" / ".bin" / "cdk")
        self._environment = aws.environment(engine)
        self._context = context or {}
        self._quiet = quiet
        self._log = aws.folder / "cdk.log"
        self.assembly = aws.folder / "cdk.out"

    def synth(self) -> None:
        """Synthesize the app into `cdk.out` in the local AWS folder. Every method raises LocalError on failure."""
        context = [part for name, value in self._context.items() for part in ("-c", f"{name}={value}")]
        self._run("synth", "--quiet", *context, "--output", str(self.assembly), activity="synthesizing")

    def bootstrap(self) -> None:
        """Create the bucket and the roles that `cdk deploy` needs. In a real account, a person also does this once."""
        with self.bootstrapping():
            pass

    @contextlib.contextmanager
    def bootstrapping(self) -> Iterator[None]:
        """Run `bootstrap` at the same time as the block, which may synthesize the app. Print nothing."""
        log_file = self._aws.folder / "bootstrap.log"
        # The folder of the local AWS has no cdk.json, so the CLI does not synthesize an app.
        command, folder = [self._command, "bootstrap", f"aws://{ACCOUNT}/{REGION}"], self._aws.folder
        with (
            log_file.open("w") as log,
            running_program(command, folder=folder, output=log, environment=self._environment) as process,
        ):
            engine_ended = self._end_with_the_engine(process)
            yield
            self._check(process.wait(), "bootstrap", engine_ended, log_file, activity="bootstrapping")

    def deploy(self, stacks: Sequence[str] = ("--all",), *, change_set: bool = True) -> None:
        """Deploy these stacks of the assembly. Without a change set, CloudFormation begins half a second sooner."""
        method = () if change_set else ("--method", "direct")
        builds = ("--asset-build-concurrency", "4")  # by default, the CLI builds one image after the other
        options = ("--require-approval", "never", *method, *builds, *self._common_options())
        self._run("deploy", *stacks, *options, activity="deploying")

    def destroy(self) -> None:
        """Delete every stack of the assembly."""
        self._run("destroy", "--all", "--force", *self._common_options(), activity="destroying")

    def _common_options(self) -> tuple[str, ...]:
        return "--concurrency", "8", "--app", str(self.assembly), "--progress", "events"

    def _run(self, *arguments: str, activity: str) -> None:
        started = time.monotonic()
        command = [self._command, *arguments]
        with (
            self._log.open("w") as log,
            shown_step(activity, hidden=self._quiet) as step,
            running_program(command, folder=self._project, output=PIPE, environment=self._environment) as process,
        ):
            assert process.stdout is not None  # noqa: S101 - for the type checker
            engine_ended = self._end_with_the_engine(process)
            for line in process.stdout:
                log.write(line)
                step.line(line)
            process.wait()
        self._check(process.returncode, " ".join(arguments), engine_ended, self._log, activity=activity)
        if not self._quiet:
            print(f"    {activity}: {time.monotonic() - started:.1f} s", flush=True)

    def _check(self, status: int, arguments: str, engine_ended: threading.Event, log: Path, *, activity: str) -> None:
        if engine_ended.is_set():
            raise LocalError(f"the local AWS ended while {activity}. Its log: {self._aws.log_file}")
        if status:
            raise LocalError(f"{activity} failed: cdk {arguments}\n{_tail(log)}")

    def _end_with_the_engine(self, process: Popen[str]) -> threading.Event:
        # If the engine ends, end the CLI as well, and set the returned event. Without the engine, the CLI would repeat
        # its requests for two minutes.
        ended = threading.Event()

        def watch() -> None:
            while process.poll() is None:
                if self._aws.alive_engine() is None:
                    ended.set()
                    end_process_group(process.pid, process)
                time.sleep(0.5)

        threading.Thread(target=watch, daemon=True).start()
        return ended


def _tail(log: Path) -> str:
    return "\n".join(log.read_text().splitlines()[-25:]) + f"\n(the complete log: {log})"
