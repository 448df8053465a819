"""A private registry for the web image, which is in it as soon as it is deployed."""

from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack, triggers
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks._cdk_helpers import add_helper_log_groups
from stacks._functions import python_function
from stacks._web_image import web_asset

KEPT_IMAGES = 10
"""Ten versions to go back to; at 50 MB each, most of it shared, they cost five cents a month."""
MEMORY_MB = 512
"""A part of a layer has up to 20 MB, and goes out as base64 in JSON. More memory brings more network, too."""


class EcrStack(Stack):
    """Repository; and a function that copies the web image into it, from where the CDK CLI has pushed it."""

    def __init__(  # noqa: PLR0913 - every choice of the example, by name
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        architecture: str,
        publish: bool = True,
        **stack: Any,
    ) -> None:
        super().__init__(scope, id, **stack)

        repository = ecr.Repository(
            self,
            "Web",
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            encryption=ecr.RepositoryEncryption.AES_256,
            lifecycle_rules=[
                ecr.LifecycleRule(
                    rule_priority=1,
                    description="untagged: after a day",
                    tag_status=ecr.TagStatus.UNTAGGED,
                    max_image_age=Duration.days(1),
                ),
                ecr.LifecycleRule(
                    rule_priority=2,
                    description=f"tagged: all but the last {KEPT_IMAGES}",
                    tag_status=ecr.TagStatus.TAGGED,
                    tag_pattern_list=["*"],
                    max_image_count=KEPT_IMAGES,
                ),
            ],
            empty_on_delete=not retain_data,
            removal_policy=RemovalPolicy.RETAIN if retain_data else RemovalPolicy.DESTROY,
        )
        CfnOutput(self, "RepositoryUri", value=repository.repository_uri)
        if publish:
            image = web_asset(self, architecture)
            self._publish(image, repository, log_retention)
            add_helper_log_groups(self, retention=log_retention)
            CfnOutput(self, "WebImage", value=repository.repository_uri_for_tag(image.image_tag))

    def _publish(
        self, image: ecr_assets.DockerImageAsset, repository: ecr.Repository, log_retention: logs.RetentionDays
    ) -> None:
        timeout = Duration.minutes(5)  # an image has 50 MB, and even a slow copy needs one minute for each 100 MB
        function = python_function(
            self,
            "Publisher",
            "ecr",
            tracing=False,
            memory_size=MEMORY_MB,
            timeout=timeout,
            environment={
                "SOURCE_REPOSITORY": image.repository.repository_name,
                "TARGET_REPOSITORY": repository.repository_name,
                "IMAGE_TAG": image.image_tag,
            },
            log_retention=log_retention,
            removal=RemovalPolicy.DESTROY,
        )
        image.repository.grant(function, "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
        repository.grant(
            function,
            "ecr:BatchCheckLayerAvailability",
            "ecr:InitiateLayerUpload",
            "ecr:UploadLayerPart",
            "ecr:CompleteLayerUpload",
            "ecr:PutImage",
            "ecr:BatchGetImage",  # tells which image has a tag that exists already
        )
        # Invokes the function when the stack is deployed, and again after each change of the function. The image tag is
        # in its environment, so a new image is such a change.
        triggers.Trigger(function, "Trigger", handler=function, timeout=timeout, execute_after=[repository])
