"""The thumbnail function as a container image. Its code is the code of the thumbnail example, which is a zip file."""

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks._alarms import alarm_topic, notify
from stacks._cdk_helpers import add_helper_log_groups
from stacks._functions import image_function
from stacks._image_assets import project_image, split_tag
from stacks._stores import removal_policy
from stacks._thumbnails import connect, thumbnail_alarms, thumbnail_options, thumbnail_stores

DOCKERFILE = "containers/function_image/Dockerfile"


class FunctionImageStack(Stack):
    """A bucket for uploads, a function from an image, a bucket and a table for its results, and a queue."""

    def __init__(  # noqa: PLR0913 - each setting is a keyword argument
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK uses this name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        architecture: str,
        max_edge: int,
        name: str | None = None,
        watch_closely: bool = False,
        alarm_email: str | None = None,
        **stack_parameters: Any,
    ) -> None:
        """Add the resources of the example. `name` is an existing image in ECR. With None, the CLI builds the image."""
        description = "Lambda: the same thumbnail function as a container image"
        super().__init__(scope, id, description=description, **stack_parameters)

        stores = thumbnail_stores(self, retain_data=retain_data)
        function = image_function(
            self,
            "Function",
            self._image(name, architecture),
            architecture=architecture,
            log_retention=log_retention,
            removal=removal_policy(retain_data=retain_data),
            **thumbnail_options(stores, max_edge=max_edge),
        )
        connect(stores, function, retain_data=retain_data)
        alarms = thumbnail_alarms(stores, function, stem="function_image", early_warnings=watch_closely)
        notify(alarms, alarm_topic(self, alarm_email))
        add_helper_log_groups(self, retention=log_retention)

    def _image(self, name: str | None, architecture: str) -> lambda_.DockerImageCode:
        if name is None:
            # The CLI pushes the image into the repository of `cdk bootstrap`. Its policy allows Lambda to pull images.
            return lambda_.DockerImageCode.from_image_asset(**project_image(DOCKERFILE, architecture))
        repository, tag = split_tag(name)
        return lambda_.DockerImageCode.from_ecr(
            ecr.Repository.from_repository_name(self, "Repository", repository), tag_or_digest=tag
        )
