"""Reads the deployed package of a function: a zip file, or a container image in ECR."""

import re
from dataclasses import dataclass
from typing import Any

from console.account import Account
from console.examples import Example

_IMAGE = re.compile(r"[^/]+/(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?")


@dataclass(frozen=True, kw_only=True)
class Package:
    """The package of one function."""

    kind: str
    """`zip file` or `container image`."""
    example: str
    """The short name of the example."""
    name: str
    """The handler in a zip file, or the name of the image."""
    megabytes: float | None
    """The size, packed. None for an image that does not exist, because a process runs in its place."""
    architecture: str


def read_package(account: Account, example: Example) -> Package | None:
    """Return the package of the example's function `Function`, or None without it. Raises the errors of boto3."""
    logical_id = next((name for name in example.resources("AWS::Lambda::Function") if name.startswith("Function")), "")
    if not logical_id:
        return None
    cloudformation, lambda_ = account.client("cloudformation"), account.client("lambda")
    resource = cloudformation.describe_stack_resource(StackName=example.stack, LogicalResourceId=logical_id)
    function = lambda_.get_function(FunctionName=resource["StackResourceDetail"]["PhysicalResourceId"])
    configuration, code = function["Configuration"], function["Code"]
    is_image = configuration.get("PackageType") == "Image"
    return Package(
        kind="container image" if is_image else "zip file",
        example=example.stem,
        name=code["ImageUri"].partition("/")[2] if is_image else configuration["Handler"],
        megabytes=_image_megabytes(account, code["ImageUri"]) if is_image else configuration["CodeSize"] / 1e6,
        architecture=configuration["Architectures"][0],
    )


def _image_megabytes(account: Account, uri: str) -> float | None:
    ecr: Any = account.client("ecr")
    parts = _IMAGE.fullmatch(uri)
    if parts is None:
        return None
    image = {"imageDigest": parts["digest"]} if parts["digest"] else {"imageTag": parts["tag"]}
    try:
        found = ecr.describe_images(repositoryName=parts["repository"], imageIds=[image])["imageDetails"]
    except (ecr.exceptions.RepositoryNotFoundException, ecr.exceptions.ImageNotFoundException):
        return None
    return float(found[0]["imageSizeInBytes"]) / 1e6
