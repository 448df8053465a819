"""Build the images of containers/ with the container tool: early, while other steps run, or after a file was saved."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.project import ROOT, SETTINGS, image_sources, stand_in_image
from localaws import container_tool, docker_for_cdk
from localaws.aws import Engine, LocalAws, LocalError
from localaws.container_tool import Tool
from localaws.process_groups import running_program

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

    An image whose layers were kept is not built. A failed build is no error here, because the CLI repeats it and
    reports the error. Builds that still run at the end of the block are ended.
    """
    builds: dict[Path, subprocess.Popen[str]] = {}
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((aws.folder / "images.log").open("wb"))
        for image in map(image_in, ("web", "function_image")) if engine.tool else ():
            if not image.context.exists():  # a fork has removed the example
                continue
            mark = aws.folder / "containers" / f"built-{stand_in_image(*image.sources).rpartition(':')[2]}"
            if mark.exists():
                continue
            command = [str(docker_for_cdk.COMMAND), "build", *image.build_arguments(engine.tool)]
            program = running_program(command, folder=image.context, output=log, environment=aws.environment(engine))
            builds[mark] = stack.enter_context(program)
        yield
        for mark, process in builds.items():
            if process.poll() == 0 and engine.tool.storage:  # only podman's layers are in the folder
                mark.touch()


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
