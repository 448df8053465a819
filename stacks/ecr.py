"""A private repository for the web image. The deployment itself copies the image into the repository."""

from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack, triggers
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks._cdk_helpers import add_helper_log_groups
from stacks._functions import python_function
from stacks._stores import removal_policy
from stacks._web_image import web_asset

KEPT_IMAGES = 10
"""Number of versions that the repository keeps, so that you can deploy an older version again. Ten images with 50 MB
cost five cents a month at most."""
MEMORY_MB = 512
"""The function sends each layer in parts of up to 20 MB, as base64 in JSON. A function with more memory also has a
faster network."""
COPY_TIMEOUT = Duration.minutes(5)
"""Time limit for copying the image, which has 50 MB. Even a slow copy needs only one minute for 100 MB."""


class EcrStack(Stack):
    """A repository, and a function that copies the web image from the CDK CLI's own repository to this repository."""

    def __init__(  # noqa: PLR0913 - each setting is a keyword argument
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK uses this name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        architecture: str,
        publish: bool = True,
        **stack_parameters: Any,
    ) -> None:
        """Add the resources of the example. Without `publish` the repository stays empty."""
        description = "ECR: a private registry, with the image of the web service in it"
        super().__init__(scope, id, description=description, **stack_parameters)

        repository = self._repository("Web", retain_data=retain_data)
        CfnOutput(self, "RepositoryUri", value=repository.repository_uri)
        if publish:
            image = web_asset(self, architecture)
            publisher = self._publisher("Publisher", image, repository, log_retention)
            # The trigger invokes the function when the stack is deployed, and again after each change of the function.
            # A new image changes the function, because the image's tag is in the function's environment.
            triggers.Trigger(publisher, "Trigger", handler=publisher, timeout=COPY_TIMEOUT, execute_after=[repository])
            add_helper_log_groups(self, retention=log_retention)
            CfnOutput(self, "WebImage", value=repository.repository_uri_for_tag(image.image_tag))

    def _repository(self, id_: str, *, retain_data: bool) -> ecr.Repository:
        return ecr.Repository(
            self,
            id_,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            encryption=ecr.RepositoryEncryption.AES_256,
            lifecycle_rules=[
                ecr.LifecycleRule(
                    rule_priority=1,
                    description="delete untagged images after a day",
                    tag_status=ecr.TagStatus.UNTAGGED,
                    max_image_age=Duration.days(1),
                ),
                ecr.LifecycleRule(
                    rule_priority=2,
                    description=f"delete tagged images except the newest {KEPT_IMAGES}",
                    tag_status=ecr.TagStatus.TAGGED,
                    tag_pattern_list=["*"],
                    max_image_count=KEPT_IMAGES,
                ),
            ],
            empty_on_delete=not retain_data,
            removal_policy=removal_policy(retain_data=retain_data),
        )

    def _publisher(
        self,
        id_: str,
        image: ecr_assets.DockerImageAsset,
        repository: ecr.Repository,
        log_retention: logs.RetentionDays,
    ) -> lambda_.Function:
        function = python_function(
            self,
            id_,
            "ecr",
            tracing=False,
            memory_size=MEMORY_MB,
            timeout=COPY_TIMEOUT,
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
            "ecr:BatchGetImage",  # to find out which image already has the tag
        )
        return function
