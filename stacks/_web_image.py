"""The container image of the web service: built from containers/web, or an existing one."""

import re
from pathlib import Path

from aws_cdk import Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from constructs import Construct

DIRECTORY = Path(__file__).resolve().parent.parent / "containers" / "web"
_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<name>.+)")


def web_asset(scope: Construct, architecture: str) -> ecr_assets.DockerImageAsset:
    """Return the image as a CDK asset. The CDK CLI builds it when it deploys; synthesis needs no Docker."""
    arm = architecture == "arm64"
    platform = ecr_assets.Platform.LINUX_ARM64 if arm else ecr_assets.Platform.LINUX_AMD64
    return ecr_assets.DockerImageAsset(scope, "Image", directory=str(DIRECTORY), platform=platform)


def web_image(scope: Construct, configured: str | None, architecture: str) -> ecs.ContainerImage:
    """Return the configured image, or the CDK asset if there is none.

    `configured` is `name:tag` or `name@sha256:…`. Without a registry it names a repository of this account. With a
    registry in front, it names an image in ECR or in any public registry.
    """
    if configured is None:
        return ecs.ContainerImage.from_docker_image_asset(web_asset(scope, architecture))
    name, tag = _split_tag(configured)
    registry = name.split("/")[0]
    in_ecr = _ECR.fullmatch(name)
    if in_ecr is None and ("." in registry or ":" in registry):
        return ecs.ContainerImage.from_registry(configured)
    return ecs.ContainerImage.from_ecr_repository(_repository(scope, name, in_ecr), tag)


def _split_tag(image: str) -> tuple[str, str]:
    """Split `name:tag` or `name@digest` into the name and the tag or digest."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    name, _, tag = image.rpartition(":")
    return name, tag


def _repository(scope: Construct, name: str, in_ecr: re.Match[str] | None) -> ecr.IRepository:
    if in_ecr is None:
        return ecr.Repository.from_repository_name(scope, "WebRepository", name)
    name, region, account = in_ecr["name"], in_ecr["region"], in_ecr["account"]
    return ecr.Repository.from_repository_attributes(
        scope,
        "WebRepository",
        repository_name=name,
        repository_arn=f"arn:{Stack.of(scope).partition}:ecr:{region}:{account}:repository/{name}",
    )
