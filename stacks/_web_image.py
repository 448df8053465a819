"""The container image of the web service. The CDK CLI builds it from containers/web, or it exists already."""

import re
from pathlib import Path

from aws_cdk import Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from stacks._image_assets import image_platform, split_tag

IMAGE_DIRECTORY = Path(__file__).resolve().parent.parent / "containers" / "web"
_IN_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<name>.+)")


def web_asset(scope: Construct, architecture: str) -> ecr_assets.DockerImageAsset:
    """Return the image of containers/web as a CDK asset.

    The CLI builds the image when it deploys the stack. Synthesis needs no Docker.
    """
    return ecr_assets.DockerImageAsset(
        scope, "Image", directory=str(IMAGE_DIRECTORY), platform=image_platform(architecture)
    )


def web_image(scope: Construct, configured: str | None, architecture: str) -> ecs.ContainerImage:
    """Return the image `configured`. If `configured` is None, return the image of containers/web as a CDK asset.

    `configured` is `name:tag` or `name@sha256:…`. The name may begin with an ECR registry or a public registry. A name
    without a registry is a repository in the ECR registry of this account.
    """
    if configured is None:
        return ecs.ContainerImage.from_docker_image_asset(web_asset(scope, architecture))
    name, tag = split_tag(configured)
    registry = name.split("/")[0]
    ecr_match = _IN_ECR.fullmatch(name)
    if ecr_match is None and ("." in registry or ":" in registry):
        return ecs.ContainerImage.from_registry(configured)
    return ecs.ContainerImage.from_ecr_repository(_repository(scope, name, ecr_match), tag)


def _repository(scope: Construct, name: str, ecr_match: re.Match[str] | None) -> ecr.IRepository:
    if ecr_match is None:
        return ecr.Repository.from_repository_name(scope, "WebRepository", name)
    name, region, account = ecr_match["name"], ecr_match["region"], ecr_match["account"]
    return ecr.Repository.from_repository_attributes(
        scope,
        "WebRepository",
        repository_name=name,
        repository_arn=f"arn:{Stack.of(scope).partition}:ecr:{region}:{account}:repository/{name}",
    )
