"""`python -m local up` deploys everything locally and shows it at work; `python -m local down` leaves nothing."""

import argparse
import contextlib
import fcntl
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local import api, batch, cron, ecr, ecs_ec2, fargate, lightsail, thumbnail
from local.inventory import LISTINGS, inventory
from local.project import ROOT, context, local_aws
from local.scene import Example, Scene
from localaws.aws import PORT, Engine, LocalAws, LocalError
from localaws.cdk import Cdk
from localaws.process_groups import STOP_SIGNALS

FOLDER = ROOT / ".local"
EXAMPLES: Mapping[str, Example] = {
    "thumbnail": thumbnail,
    "cron": cron,
    "api": api,
    "ecr": ecr,
    "ecs_ec2": ecs_ec2,
    "fargate": fargate,
    "batch": batch,
    "lightsail": lightsail,
}
PREFIX = "compute-"
"""What the names of the examples' stacks begin with, and those of most that is in them."""
TOOLKIT = "CDKToolkit"
"""The stack that `cdk bootstrap` makes."""
TOOLKITS_NAMES = "cdk-hnb659fds-"
"""What the names of its bucket and roles begin with: the CDK's default qualifier."""


def up(aws: LocalAws, photo: Path) -> None:
    """Start the engine unless it runs, deploy, and show every example at work. Raises LocalError for what fails."""
    if not photo.is_file():
        raise LocalError(f"PHOTO={photo}: there is no such file")
    started = time.monotonic()
    engine = _engine(aws)
    cdk = Cdk(aws, engine, context(engine))
    with aws.deploying():
        step("synthesize and deploy with the CDK CLI")
        cdk.synth()
        if TOOLKIT not in _outputs(aws, engine):
            cdk.bootstrap()
        cdk.deploy()
    deployed = _outputs(aws, engine)
    scene = Scene(aws=aws, engine=engine, photo=photo)
    for stem, example in EXAMPLES.items():
        step(f"the {stem} example: {example.TITLE}")
        example.exercise(scene, deployed[_stack_of(stem)])
    step(f"ready after {time.monotonic() - started:.0f} s, and left running at {engine.endpoint}. To try next:")
    print(f"    . {shlex.quote(str(aws.env_file))}")
    for stem, example in EXAMPLES.items():
        for command in example.suggestions(scene, deployed[_stack_of(stem)]):
            print(f"    {command}")
    print("    make local-down   # destroy it all")


def down(aws: LocalAws) -> None:
    """Destroy every stack through the CLI, show that nothing is left, and stop the engine in any case."""
    engine = aws.running()
    try:
        if engine is None:
            step("no local AWS is running; nothing is left")
        elif aws.half_done:
            step("the last deployment broke off half done: it goes with the engine, which keeps everything in memory")
        else:
            destroy(aws, engine)
    finally:
        aws.stop()
    if engine:
        step("the engine has stopped; no process is left")


def destroy(aws: LocalAws, engine: Engine) -> None:
    """Destroy every stack through the CLI, and what it deployed with. Raises LocalError if something is left."""
    step("destroy with the CDK CLI")
    Cdk(aws, engine).destroy()
    _unbootstrap(aws, engine)
    left = inventory(aws, engine)
    ours = sorted(found for found in left if any(mark in found for mark in (PREFIX, TOOLKIT, TOOLKITS_NAMES)))
    if ours:
        raise LocalError(
            f"destroyed, but there was still: {', '.join(ours)}. It went with the engine, which has stopped; "
            f"why it was there may be told by {aws.log}"
        )
    step(f"nothing is left: no {', '.join(LISTINGS)}")
    if left:
        print("    but what you made yourself, which goes with the engine: " + ", ".join(sorted(left)))


def _stack_of(stem: str) -> str:
    return f"{PREFIX}{stem.replace('_', '-')}"


def step(text: str) -> None:
    """Print what is done next."""
    print(f"==> {text}", flush=True)


def _engine(aws: LocalAws) -> Engine:
    engine = aws.running()
    if engine and aws.half_done:
        step("the last deployment broke off half done: starting afresh")
        engine = None
    if engine:
        step(f"the local AWS is running at {engine.endpoint}")
        return engine
    engine = aws.start()
    if engine.port != PORT:
        step(f"port {PORT} is taken by another process: using {engine.port}")
    step(f"started the local AWS at {engine.endpoint} (log: {aws.log})")
    print(f"    containers: {engine.tool.name} ({engine.tool.why})")
    return engine


def _outputs(aws: LocalAws, engine: Engine) -> dict[str, dict[str, str]]:
    stacks = aws.client("cloudformation", engine).describe_stacks()["Stacks"]
    return {
        stack["StackName"]: {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        for stack in stacks
    }


def _unbootstrap(aws: LocalAws, engine: Engine) -> None:
    # The CLI has no command for it: in an account, other apps deploy through the same stack.
    cloudformation, s3 = aws.client("cloudformation", engine), aws.client("s3", engine)
    toolkit = _outputs(aws, engine).get(TOOLKIT)
    if toolkit is None:
        return
    bucket = toolkit["BucketName"]
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    registry = aws.client("ecr", engine)
    repository = toolkit["ImageRepositoryName"]
    images = registry.list_images(repositoryName=repository)["imageIds"]
    if images:
        registry.batch_delete_image(repositoryName=repository, imageIds=images)
    cloudformation.delete_stack(StackName=TOOLKIT)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=TOOLKIT, WaiterConfig={"Delay": 1})
    s3.delete_bucket(Bucket=bucket)  # the bootstrap template retains it


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalError(f"another make local is at work in {folder}; wait for it, or end it with Ctrl-C") from None
        yield


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Parse the command line and run the command."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=("up", "down"))
    parser.add_argument("--photo", type=Path, default=thumbnail.PHOTO, help="a picture of your own to upload")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where everything that it writes goes")
    arguments = parser.parse_args()
    for sign in STOP_SIGNALS:
        signal.signal(sign, _interrupt)
    aws = local_aws(arguments.folder.resolve())
    try:
        with _alone(aws.folder):
            if arguments.command == "down":
                down(aws)
            else:
                up(aws, arguments.photo)
    except (LocalError, BotoCoreError, ClientError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        for sign in STOP_SIGNALS:
            signal.signal(sign, signal.SIG_IGN)  # a second one must not keep it from cleaning up
        aws.stop()
        sys.exit("stopped; nothing is left running")


if __name__ == "__main__":
    main()
