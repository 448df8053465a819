"""`python -m local up` deploys everything locally and shows it at work; `python -m local down` leaves nothing."""

import argparse
import signal
import sys
import time
from pathlib import Path

from local import thumbnail
from local.aws import PORT, Engine, LocalAws, LocalError
from local.cdk import Cdk
from local.environment import ROOT
from local.inventory import inventory

FOLDER = ROOT / ".local"
EXERCISES = {"thumbnail": thumbnail}
TOOLKIT = "CDKToolkit"
"""The stack that `cdk bootstrap` makes."""


def up(aws: LocalAws, photo: Path) -> None:
    """Start the engine unless it runs, deploy, and show every example at work."""
    started = time.monotonic()
    engine = _engine(aws)
    cdk = Cdk(aws, engine)
    with aws.deploying():
        step("synthesize and deploy with the CDK CLI")
        cdk.synth()
        if TOOLKIT not in _outputs(aws, engine):
            cdk.bootstrap()
        cdk.deploy()
    deployed = _outputs(aws, engine)
    for stem, example in EXERCISES.items():
        step(f"the {stem} example: {photo.name} goes in")
        example.exercise(aws, engine, deployed[f"compute-{stem}"], photo)
    step(f"ready after {time.monotonic() - started:.0f} s, and left running at {engine.endpoint}. To try next:")
    print(f"    . {aws.env_file}")
    for stem, example in EXERCISES.items():
        for command in example.suggestions(deployed[f"compute-{stem}"]):
            print(f"    {command}")
    print("    make local-down   # destroy it all")


def down(aws: LocalAws) -> None:
    """Destroy every stack through the CLI, show that nothing is left, and stop the engine."""
    engine = aws.running()
    if engine is None:
        aws.stop()
        step("no local AWS is running; nothing is left")
        return
    step("destroy with the CDK CLI")
    cdk = Cdk(aws, engine)
    if cdk.assembly.exists() and not aws.half_done:
        cdk.destroy()
        _unbootstrap(aws, engine)
        left = inventory(aws, engine)
        if left:
            raise LocalError("destroyed, but there is still: " + ", ".join(sorted(left)))
        step("no stack, bucket, table, function, queue, log group, alarm or role is left")
    aws.stop()
    step("the engine has stopped; no process is left")


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
    bucket = _outputs(aws, engine)[TOOLKIT]["BucketName"]
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    cloudformation.delete_stack(StackName=TOOLKIT)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=TOOLKIT, WaiterConfig={"Delay": 1})
    s3.delete_bucket(Bucket=bucket)  # the bootstrap template retains it


def _terminate(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Parse the command line and run the command."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=("up", "down"))
    parser.add_argument("--photo", type=Path, default=thumbnail.PHOTO, help="a picture of your own to upload")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where everything that it writes goes")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _terminate)
    aws = LocalAws(arguments.folder.resolve())
    try:
        if arguments.command == "down":
            down(aws)
        elif arguments.photo.is_file():
            up(aws, arguments.photo)
        else:
            parser.error(f"--photo {arguments.photo}: no such file")
    except LocalError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        aws.stop()
        sys.exit("stopped; nothing is left running")


if __name__ == "__main__":
    main()
