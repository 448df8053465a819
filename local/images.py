"""Build the images of containers/ with the container tool: early, while other steps run, or after a file was saved."""

import contextlib
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.project import ROOT, SETTINGS, image_sources, stand_in_image
from localaws import container_tool, docker_for_cdk
from localaws.aws import Engine, LocalAws, LocalError
from localaws.container_tool import Tool
from localaws.process_groups import running_program

COMMON_STAGE = "library"
"""The first stage of all Dockerfiles in containers/."""
PLATFORMS = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}
"""The platform of an image, by the processor architecture of this machine."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the CDK CLI builds, too."""

    context: Path
    """The folder of the build."""
    sources: tuple[Path, ...]
    """The folders with the files of the image."""
    dockerfile: str | None = None
    """The Dockerfile, relative to `context`, if it is not in `context` itself."""

    def build_arguments(self, tool: Tool) -> list[str]:
        """Return docker's arguments. They are the same as those of the CDK CLI, so the layers are the same."""
        file = ["--file", self.dockerfile] if self.dockerfile else []
        # docker finds this file itself. Older versions of podman do not.
        ignored = ["--ignorefile", f"{self.dockerfile}.dockerignore"] if file and tool.name == "podman" else []
        return ["--platform", PLATFORMS[container_tool.architecture()], *file, *ignored, "."]


def image_in(folder: str) -> Image:
    """Return the image of a folder in containers/. Its build context is the project if its ignore file says so."""
    if sources := image_sources(folder):
        return Image(ROOT, sources, f"containers/{folder}/Dockerfile")
    return Image(ROOT / "containers" / folder, (ROOT / "containers" / folder,))


@contextlib.contextmanager
def early_builds(aws: LocalAws, engine: Engine) -> Iterator[None]:
    """Build the images of web and function_image while the block runs. The CDK CLI then finds all their layers.

    An image whose layers were kept is not built. If the CLI builds an image whose build still runs, it waits for this
    build (localaws/docker_for_cdk.py). A failed build is no error here, because the CLI repeats it and reports the
    error. Builds that still run at the end of the block are ended.
    """
    images = {}
    for image in map(image_in, ("web", "function_image")) if engine.tool else ():
        if (image.context / (image.dockerfile or "Dockerfile")).exists():  # a fork may have removed the example
            digest = stand_in_image(*image.sources).rpartition(":")[2]
            images[aws.folder / "containers" / f"built-{digest}"] = image
    new_images = {mark: image for mark, image in images.items() if not mark.exists()}
    with contextlib.ExitStack() as stack:
        if new_images:
            log = stack.enter_context((aws.folder / "images.log").open("wb"))
            command = ["sh", "-c", _early_builds_script(engine.tool, new_images)]
            stack.enter_context(running_program(command, folder=ROOT, output=log, environment=aws.environment(engine)))
        yield


def _early_builds_script(tool: Tool, images: Mapping[Path, Image]) -> str:
    # Return a shell script that builds the images at the same time. `images` has the file that marks success. Podman
    # does not share the steps of builds that run at the same time, so the first command builds the common stage.
    def build(image: Image, *options: str) -> str:
        command = [str(docker_for_cdk.COMMAND), "build", *options, *image.build_arguments(tool)]
        return f"cd {shlex.quote(str(image.context))} && {shlex.join(command)}"

    lines = [f"({build(image, '--target', COMMON_STAGE)})" for image in list(images.values())[:1]]
    for mark, image in images.items():
        # Only podman's layers are in the folder, so only they are as old as the marks.
        success = f"touch {shlex.quote(str(mark))}" if tool.storage else "true"
        lines.append(f"({build(image)} && {success}) &")
    return "\n".join([*lines, "wait"])


def build_image(aws: LocalAws, engine: Engine, image: Image, repository: str) -> str:
    """Build the image and push it into `repository`, the URI of an ECR repository. Return the URI of the image.

    The URI contains the digest. With a tag, ECS would start one task, which resolves the digest, before all others.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
    Raises LocalError with the last lines of the container tool if the build fails.
    """
    tag = f"saved-{time.time_ns()}"  # the tags of the repository are immutable
    uri = f"{repository}:{tag}"
    build = ["build", "--tag", docker_for_cdk.engine_image_name(uri, engine.port), *image.build_arguments(engine.tool)]
    for arguments in (build, ["push", uri]):
        translated = docker_for_cdk.arguments(engine.tool, aws.folder, engine.port, SETTINGS.base_image, arguments)
        _run(translated, image, engine)
    pushed = {"repositoryName": repository.partition("/")[2], "imageIds": [{"imageTag": tag}]}
    (details,) = aws.client("ecr", engine).describe_images(**pushed)["imageDetails"]
    return f"{repository}@{details['imageDigest']}"


def _run(arguments: list[str], image: Image, engine: Engine) -> None:
    command = [*engine.tool.command, *arguments]
    with running_program(command, folder=image.context, output=subprocess.PIPE) as process:
        output, _ = process.communicate()
    if process.returncode:
        raise LocalError(f"{engine.tool.name} {arguments[0]} failed\n{output.strip()}")
