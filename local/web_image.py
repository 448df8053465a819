"""Build the image of containers/web with the container tool, and push it into the local AWS. No stack is deployed."""

import contextlib
import subprocess
import time

from local.project import SETTINGS, WEB
from localaws import container_tool, docker_for_cdk
from localaws.aws import Engine, LocalAws, LocalError
from localaws.process_groups import delay_signals, end_process_group

PLATFORMS = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}
"""The platform of an image, by the processor architecture of this machine."""


def build_image(aws: LocalAws, engine: Engine, repository: str) -> str:
    """Build the image and push it into `repository`, the URI of an ECR repository. Return the URI of the image.

    Raises LocalError with the last lines of the container tool if the build fails.
    """
    image = f"{repository}:saved-{time.time_ns()}"  # the tags of the repository are immutable
    build = ["build", "--tag", docker_for_cdk.engine_image_name(image, engine.port)]
    platform = ["--platform", PLATFORMS[container_tool.architecture()]]
    for arguments in ([*build, *platform, str(WEB)], ["push", image]):
        _run(docker_for_cdk.arguments(engine.tool, aws.folder, engine.port, SETTINGS.base_image, arguments), engine)
    return image


def _run(arguments: list[str], engine: Engine) -> None:
    with contextlib.ExitStack() as stack:
        with delay_signals():
            process = subprocess.Popen(
                [*engine.tool.command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # so end_process_group also ends the programs of the build
            )
            stack.callback(end_process_group, process.pid, process)
        output, _ = process.communicate()
    if process.returncode:
        raise LocalError(f"{engine.tool.name} {arguments[0]} failed\n{output.strip()}")
