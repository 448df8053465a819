"""Container images that the CDK CLI builds from the folder of the project, and names of existing images."""

from typing import Any

from aws_cdk import IgnoreMode
from aws_cdk import aws_ecr_assets as ecr_assets

from stacks._requirements import ROOT


def image_platform(architecture: str) -> ecr_assets.Platform:
    """Return the platform for `arm64` or `x86_64`."""
    return ecr_assets.Platform.LINUX_ARM64 if architecture == "arm64" else ecr_assets.Platform.LINUX_AMD64


def project_image(dockerfile: str, architecture: str) -> dict[str, Any]:
    """Return the parameters of an image asset whose build context is the folder of the project.

    So the image can contain modules of a function. The file `<dockerfile>.dockerignore` selects the files of the image.
    The CLI builds the image when it deploys the stack. Synthesis needs no Docker.
    """
    ignored = (ROOT / f"{dockerfile}.dockerignore").read_text(encoding="utf-8").splitlines()
    return {
        "directory": str(ROOT),
        "file": dockerfile,
        "exclude": [line for line in ignored if not line.startswith("#")],
        "ignore_mode": IgnoreMode.DOCKER,
        "platform": image_platform(architecture),
    }


def split_tag(image: str) -> tuple[str, str]:
    """Split `name:tag` or `name@digest` into the name and the tag or digest."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    name, _, tag = image.rpartition(":")
    return name, tag
