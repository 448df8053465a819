"""Deploy all examples on this machine and show them at work (up), or destroy them (down).

`clean` stops everything, and removes podman's images, which `down` keeps for the next `up`.
"""

import argparse
import contextlib
import os
import signal
import sys
import textwrap
import time
import traceback
import webbrowser
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError
from filelock import AcquireReturnProxy, FileLock, Timeout

from local import api, batch, cron, ecr, ecs_ec2, fargate, function_image, lightsail, thumbnail, websocket
from local.console_process import PORT as CONSOLE_PORT
from local.console_process import ConsoleProcess, StartingConsole, can_open_browser
from local.deployment import Exercise, LocalDeployment
from local.exercises import run_at_once, wait_for_end
from local.function_code import deployed_functions
from local.function_images import use_deployed_images
from local.images import early_builds
from local.inventory import LISTINGS, inventory
from local.project import FOLDER, PHOTO, context, local_aws, shown_path
from local.shell import export_context
from local.tasks import use_deployed_definitions
from local.templates import selected_stacks
from localaws.aws import PORT, Engine, LocalAws, LocalError
from localaws.cdk import Cdk
from localaws.process_groups import STOP_SIGNALS
from scripts.doctor.needs import stacks_of

EXERCISES: Mapping[str, Exercise] = {
    "thumbnail": thumbnail,
    "cron": cron,
    "api": api,
    "ecr": ecr,
    "ecs_ec2": ecs_ec2,
    "fargate": fargate,
    "lightsail": lightsail,
    "batch": batch,
    "websocket": websocket,
    "function_image": function_image,
}
"""What `make local` tries, in the order of the table in the README."""
COMPLETE_STATES = {
    *("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"),
    *("IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"),
}
"""The states in which CloudFormation can update a stack. After a failed update, a stack returns to its old resources.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""
END_SECONDS = 5
"""The maximum time that exercises have for their end after an error or Ctrl-C."""
BOOTSTRAP_STACK = "CDKToolkit"
"""The stack that `cdk bootstrap` deploys."""
BOOTSTRAP_PREFIX = "cdk-hnb659fds-"
"""The names of the bootstrap bucket and roles begin with this prefix. It contains the default qualifier of CDK."""


def up(aws: LocalAws, photo: Path, stacks: str = "--all", *, open_browser: bool = False) -> None:
    """Start the engine if it does not run, deploy the stacks, and run the exercise of each of their examples.

    The engine is the process of the local AWS. `stacks` is `--all`, or names with spaces between them. Other stacks do
    not change. Raises LocalError if a step fails.
    """
    if not photo.is_file():
        raise LocalError(f"PHOTO={photo}: this file does not exist")
    started = time.monotonic()
    engine = _engine(aws)
    export_context(aws.env_file, context(engine))
    cdk = Cdk(aws, engine, context(engine))
    console = ConsoleProcess(aws).start()  # it starts while the app is synthesized, which needs one processor
    step("synthesize and deploy with the CDK CLI")
    try:
        exercises, stack_names = _deploy(aws, engine, cdk, stacks)
    except (LocalError, BotoCoreError, ClientError) as error:
        raise _name_page(error, console, "The deployment is not complete") from error
    all_outputs = _outputs(aws, engine)
    outputs = {stem: all_outputs[stack_names[stem]] for stem in exercises}
    deployment = LocalDeployment(aws=aws, engine=engine, photo=photo, stack_names=stack_names)

    def run(stem: str) -> None:
        with _explain_errors(aws, stem):
            exercises[stem].exercise(deployment, outputs[stem])

    def show(stem: str, output: str) -> None:
        step(f"the {stem} example: {exercises[stem].TITLE}")
        print(output, end="", flush=True)

    try:
        run_at_once({stem: partial(run, stem) for stem in exercises}, show)
    except LocalError as error:
        if aws.alive_engine() is None:
            raise
        raise _name_page(error, console, "Everything is deployed") from error
    address = console.address()
    step(f"ready {time.monotonic() - started:.0f} s after the set-up. Open this page in a browser: {address}")
    if not address.endswith(f":{CONSOLE_PORT}/"):
        print(f"    The usual port {CONSOLE_PORT} was in use, so the page has another port.")
    print("    It shows the deployed examples at work, and you can try most of them there. To try next:")
    print("    make watch        # deploys every file that you save, within seconds")
    print("    make local-down   # destroys everything")
    if open_browser and can_open_browser():
        webbrowser.open(address)


def _deploy(aws: LocalAws, engine: Engine, cdk: Cdk, stacks: str) -> tuple[Mapping[str, Exercise], Mapping[str, str]]:
    """Deploy the stacks. Return the exercises of their examples, and the names of all stacks by example."""
    is_new = BOOTSTRAP_STACK not in _outputs(aws, engine)
    with early_builds(aws, engine) if is_new and stacks == "--all" else contextlib.nullcontext():
        with cdk.bootstrapping() if is_new else contextlib.nullcontext():
            cdk.synth()
        names = selected_stacks(cdk.assembly, stacks.split() or ["--all"])
        stack_names = _stack_names(cdk)
        exercises = {stem: exercise for stem, exercise in EXERCISES.items() if stack_names.get(stem) in names}
        with aws.deploying():
            cdk.deploy(names)
            _update_outdated_functions(aws, engine, exercises)
            cloudformation = aws.client("cloudformation", engine)
            use_deployed_definitions(cloudformation, aws.client("ecs", engine), names)
            use_deployed_images(cloudformation, aws.client("lambda", engine), names)
    return exercises, stack_names


def _name_page(error: Exception, console: StartingConsole, state: str) -> Exception:
    """Return the error with the address of the console, which shows the deployed examples."""
    try:
        return LocalError(f"{error}\n{state}. The page {console.address()} shows the deployed examples")
    except LocalError:  # the console did not start, which is less important than the error
        return error


def down(aws: LocalAws) -> None:
    """Destroy every stack with the CDK CLI, and check that nothing is left. Always stop the engine at the end."""
    engine = aws.running_engine()
    try:
        if engine is None:
            step("no local AWS is running, so nothing is left")
        elif aws.is_incomplete:
            step("the last deployment was not completed. Its resources exist only in the local AWS, and end with it")
        else:
            destroy(aws, engine)
    finally:
        _stop(aws)
    if engine:
        step("the engine has stopped; no process is left")
        if aws.has_images:
            print("    podman's images stay, so that the next make local is faster. make clean removes them, too:")
            print(f"    {shown_path(aws.images_folder)}")


def _stop(aws: LocalAws, *, keep_images: bool = True) -> None:
    try:
        ConsoleProcess(aws).stop()
    finally:
        aws.stop(keep_images=keep_images)


def destroy(aws: LocalAws, engine: Engine) -> None:
    """Destroy every stack with the CDK CLI. Then delete the bootstrap stack.

    If a stack is protected, because the setting retain_data is True, no stack is destroyed: all end with the engine.

    Raises LocalError if a resource of the stacks is left.
    """
    cdk = Cdk(aws, engine)
    names = _stack_names(cdk).values()
    if protected := _protected_stacks(aws, engine) & {*names}:
        step(f"retain_data protects {', '.join(sorted(protected))} from deletion. All stacks end with the local AWS")
        return
    step("destroy with the CDK CLI")
    if names:
        cdk.destroy()
    _delete_bootstrap(aws, engine)
    remaining = inventory(aws, engine)
    not_destroyed = sorted(
        name for name in remaining if any(part in name for part in (*names, BOOTSTRAP_STACK, BOOTSTRAP_PREFIX))
    )
    if not_destroyed:
        raise LocalError(
            f"these resources were not destroyed: {', '.join(not_destroyed)}. "
            f"They disappeared when the engine stopped. Look for the reason in {aws.log_file}"
        )
    none = f"no resource of the stacks is left: no {', '.join(LISTINGS)}"
    step(textwrap.fill(none, width=100, subsequent_indent="    "))
    if remaining:
        print("    you made these resources yourself, and they end with the engine: " + ", ".join(sorted(remaining)))


def _stack_names(cdk: Cdk) -> dict[str, str]:
    """Return the names of the synthesized stacks by example. If the first synthesis has failed, there is none."""
    return {stack.example: stack.name for stack in stacks_of(cdk.assembly)} if cdk.assembly.exists() else {}


def _protected_stacks(aws: LocalAws, engine: Engine) -> set[str]:
    stacks = aws.client("cloudformation", engine).describe_stacks()["Stacks"]
    return {stack["StackName"] for stack in stacks if stack.get("EnableTerminationProtection")}


def _update_outdated_functions(aws: LocalAws, engine: Engine, stems: Iterable[str]) -> None:
    # `make watch` updates functions without CloudFormation. If a person then restores the file of the last deployment,
    # the template has not changed, so CloudFormation does not replace the code.
    functions = deployed_functions(aws.client("lambda", engine))
    for stem in stems:
        for function in functions.get(stem, []):
            if not function.is_current():
                function.update()


def step(text: str) -> None:
    """Print the next step."""
    print(f"==> {text}", flush=True)


@contextlib.contextmanager
def _explain_errors(aws: LocalAws, stem: str) -> Iterator[None]:
    """Replace an error in the block by a LocalError of one line.

    If the engine has ended, this is the reason of any error. A traceback goes into a file.
    """
    try:
        yield
    except Exception as error:
        if aws.alive_engine() is None:
            raise LocalError(
                f"the local AWS ended during the {stem} example. Its log: {aws.log_file}. Try again: make local"
            ) from error
        if isinstance(error, LocalError):
            raise
        file = aws.folder / "error.log"
        file.write_text(traceback.format_exc(), encoding="utf-8")
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise LocalError(
            f"the {stem} example failed: {reason} (more in {shown_path(file)}). If this machine is busy, try again: "
            "make local"
        ) from error


def _engine(aws: LocalAws) -> Engine:
    engine = aws.running_engine()
    incomplete_stacks = _incomplete_stacks(aws, engine) if engine and aws.is_incomplete else []
    if incomplete_stacks:
        names = ", ".join(incomplete_stacks)
        step(f"the last deployment was not completed: {names}. A new local AWS starts, without the data of the old one")
    elif engine:
        step(f"the local AWS already runs at {engine.endpoint}")
        if aws.is_incomplete:
            print("    the last deployment failed, but every stack is in a complete state, so all data is kept")
        return engine
    engine = aws.start()
    if engine.port != PORT:
        step(f"another process uses port {PORT}, so the local AWS uses port {engine.port}")
    step(f"started the local AWS at {engine.endpoint} (log: {shown_path(aws.log_file)})")
    print(f"    containers: {engine.tool.name} ({engine.tool.why})")
    return engine


def _incomplete_stacks(aws: LocalAws, engine: Engine) -> list[str]:
    """Return each stack that a new deployment could not update, with its status."""
    stacks = aws.client("cloudformation", engine).describe_stacks()["Stacks"]
    return [
        f"{stack['StackName']} ({stack['StackStatus']})"
        for stack in stacks
        if stack["StackStatus"] not in COMPLETE_STATES
    ]


def _outputs(aws: LocalAws, engine: Engine) -> dict[str, dict[str, str]]:
    stacks = aws.client("cloudformation", engine).describe_stacks()["Stacks"]
    return {
        stack["StackName"]: {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        for stack in stacks
    }


def _delete_bootstrap(aws: LocalAws, engine: Engine) -> None:
    # The CDK CLI has no command that deletes the bootstrap stack, because other apps in an account may use the stack.
    cloudformation, s3 = aws.client("cloudformation", engine), aws.client("s3", engine)
    bootstrap = _outputs(aws, engine).get(BOOTSTRAP_STACK)
    if bootstrap is None:
        return
    bucket = bootstrap["BucketName"]
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    registry = aws.client("ecr", engine)
    repository = bootstrap["ImageRepositoryName"]
    images = registry.list_images(repositoryName=repository)["imageIds"]
    if images:
        registry.batch_delete_image(repositoryName=repository, imageIds=images)
    cloudformation.delete_stack(StackName=BOOTSTRAP_STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=BOOTSTRAP_STACK, WaiterConfig={"Delay": 1})
    s3.delete_bucket(Bucket=bucket)  # CloudFormation retains the bucket, as the bootstrap template says


def _lock(folder: Path) -> "AcquireReturnProxy[FileLock]":
    """Lock the folder, and return a context manager that unlocks it.

    Raises LocalError if another `make local` has locked the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(folder / "lock").acquire(timeout=0)
    except Timeout:
        raise LocalError(
            f"make local or make watch works in {folder}. Wait until it has ended, or stop it with Ctrl-C"
        ) from None


def _raise_keyboard_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Parse the command line and run the command."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "clean"))
    parser.add_argument("--photo", type=Path, default=PHOTO, help="a picture to upload in place of the default one")
    parser.add_argument("--stack", default="--all", help="names of the stacks to deploy, or --all")
    parser.add_argument("--open", choices=("yes", "no"), default="no", help="open the console in a browser")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder for all files that the local AWS writes")
    arguments = parser.parse_args()
    for sign in STOP_SIGNALS:
        signal.signal(sign, _raise_keyboard_interrupt)
    aws = local_aws(arguments.folder.resolve())
    try:
        with _lock(aws.folder):
            _run(aws, arguments)
    except LocalError as error:
        sys.exit(f"error: {error}")


def _run(aws: LocalAws, arguments: argparse.Namespace) -> None:
    try:
        if arguments.command == "down":
            down(aws)
        elif arguments.command == "clean":
            _stop(aws, keep_images=False)
        else:
            up(aws, arguments.photo, arguments.stack, open_browser=arguments.open == "yes")
    except (LocalError, BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        _exit()
    except KeyboardInterrupt:
        _ignore_signals()
        print("stopping the local AWS, which can take some seconds", file=sys.stderr, flush=True)
        _stop(aws)
        _exit("stopped: no process is left running\n")
    except Exception:  # noqa: BLE001 - without _exit, this process might not end
        traceback.print_exc()
        _exit()


def _exit(message: str = "") -> NoReturn:
    """End this process with the exit code 1 after END_SECONDS or earlier. Print the message at the end.

    Other exercises may still run. They have this time to end their processes and to remove their files. Without a
    limit, Python would wait for all their threads, also for one that waits for the answer of an engine that has ended.
    """
    _ignore_signals()
    wait_for_end(END_SECONDS)
    sys.stdout.flush()
    sys.stderr.write(message)
    sys.stderr.flush()
    os._exit(1)


def _ignore_signals() -> None:
    for sign in STOP_SIGNALS:
        signal.signal(sign, signal.SIG_IGN)  # a second signal must not interrupt the clean-up


if __name__ == "__main__":
    main()
