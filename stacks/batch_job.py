"""The job definition of the batch example: image, size, permissions and retries. Each job of an array is a child."""

from typing import cast

from aws_cdk import Duration, Size, Stack
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3

from stacks._image_assets import project_image
from stacks._nag import acknowledge
from stacks._pictures import MAX_BYTES, MAX_DECODING_BYTES, MAX_PIXELS

DOCKERFILE = "containers/batch/Dockerfile"
VCPUS = 2
"""vCPUs of each child. A `large` instance of any family has two. A larger child is not better than more children."""
MEMORY_MIB = 3584
"""Memory of each child. Each of its two decoders needs MAX_DECODING_BYTES and 160 MiB. Lists, and pictures that wait,
need 850 MiB. An instance has 4 GiB, and needs a part of them for itself. The child fits into the rest."""
ATTEMPTS = 5
"""Attempts of each child. If AWS fails, the next attempt keeps the thumbnails that exist."""
MAX_DURATION = Duration.hours(24)
"""Time limit of each child. Batch itself sets no limit. A child that takes longer hangs, or has too many pictures. In
the second case, use more children."""
STOP_EXIT_CODE = "143"
"""Exit code of a child that got SIGTERM. This signal is the first sign that its instance ends."""


def job_definition(  # noqa: PLR0913 - keyword arguments
    stack: Stack,
    pictures: s3.Bucket,
    thumbnails: s3.Bucket,
    *,
    image: str | None,
    architecture: str,
    max_edge: int,
    log_group: logs.LogGroup,
) -> batch.EcsJobDefinition:
    """Return the definition of a job that reads `pictures` and writes to `thumbnails`."""
    linux = batch.LinuxParameters(stack, "Linux")
    # /tmp contains the sockets between the job and its decoders. The job writes no other files.
    linux.add_tmpfs(batch.Tmpfs(container_path="/tmp", size=Size.mebibytes(64)))  # noqa: S108
    container = batch.EcsEc2ContainerDefinition(
        stack,
        "Container",
        image=_image(stack, image, architecture),
        cpu=VCPUS,
        memory=Size.mebibytes(MEMORY_MIB),
        command=["--keys", "Ref::keys", "--children", "Ref::children"],
        environment={
            "INPUT_BUCKET": pictures.bucket_name,
            "OUTPUT_BUCKET": thumbnails.bucket_name,
            "MAX_EDGE": str(max_edge),
            "MAX_BYTES": str(MAX_BYTES),
            "MAX_PIXELS": str(MAX_PIXELS),
            "MAX_DECODING_BYTES": str(MAX_DECODING_BYTES),
            "VCPUS": str(VCPUS),  # a container cannot find out how many CPUs it may use
        },
        job_role=_job_role(stack, pictures, thumbnails),
        execution_role=_execution_role(stack),
        readonly_root_filesystem=True,
        linux_parameters=linux,
        logging=ecs.LogDriver.aws_logs(
            stream_prefix="job",
            log_group=log_group,
            # If CloudWatch is slow, log lines are lost. In blocking mode, pictures would be delayed instead.
            mode=ecs.AwsLogDriverMode.NON_BLOCKING,
        ),
    )
    return batch.EcsJobDefinition(
        stack,
        "Job",
        container=container,
        parameters={"keys": "*", "children": "1"},
        timeout=MAX_DURATION,
        propagate_tags=True,
        retry_attempts=ATTEMPTS,
        retry_strategies=_retry_strategies(),
    )


def _retry_strategies() -> list[batch.RetryStrategy]:
    # Batch accepts five strategies at most, and uses the first one that matches. A pattern must match the whole text.
    # `*` is possible only at the end of a pattern.
    # https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html
    retry, stop = batch.Action.RETRY, batch.Action.EXIT
    return [
        # This reason matches the status "Host EC2*": AWS interrupted the Spot instance, or any instance ended.
        batch.RetryStrategy.of(retry, batch.Reason.SPOT_INSTANCE_RECLAIMED),
        # The container did not start, so this failure is not a bug of the job. Batch reports this status for different
        # reasons, for example CannotPullContainerError and DockerTimeoutError.
        batch.RetryStrategy.of(retry, batch.Reason.custom(on_status_reason="Task failed to start*")),
        # Some users have seen this reason with the other status, "Essential container in task exited".
        batch.RetryStrategy.of(retry, batch.Reason.custom(on_reason="CannotPullContainerError*")),
        # When an instance ends, the job gets SIGTERM and stops before Batch reports the end of the instance. So the
        # exit code causes the retry. Batch never retries a job that a person has terminated, or that took too long.
        batch.RetryStrategy.of(retry, batch.Reason.custom(on_exit_code=STOP_EXIT_CODE)),
        # If no strategy matches, Batch retries the child. So without this line, it would retry even after a bug.
        batch.RetryStrategy.of(stop, batch.Reason.custom(on_reason="*")),
    ]


def _image(stack: Stack, image: str | None, architecture: str) -> ecs.ContainerImage:
    if image is not None:
        return ecs.ContainerImage.from_registry(image)
    # The image needs imaging.py of the thumbnail function, which is outside of containers/batch.
    asset = ecr_assets.DockerImageAsset(stack, "Image", **project_image(DOCKERFILE, architecture))
    return ecs.ContainerImage.from_docker_image_asset(asset)


def _execution_role(stack: Stack) -> iam.Role:
    role = iam.Role(stack, "ExecutionRole", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    acknowledge(
        role, "AwsSolutions-IAM5[Resource::*]", "The action ecr:GetAuthorizationToken cannot be limited to a resource."
    )
    return role


def _job_role(stack: Stack, pictures: s3.Bucket, thumbnails: s3.Bucket) -> iam.Role:
    role = iam.Role(stack, "JobRole", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    # CDK's grant_read() and grant_put() would allow about twelve more actions, by wildcard. The job needs no permission
    # to delete objects.
    for actions, resources in (
        # The children read the division of the keys in the folder of the manifests.
        (["s3:GetObject"], [pictures.arn_for_objects("*"), thumbnails.arn_for_objects("manifests/*")]),
        (["s3:ListBucket"], [pictures.bucket_arn, thumbnails.bucket_arn]),
        (["s3:PutObject"], [thumbnails.arn_for_objects("thumbnails/*"), thumbnails.arn_for_objects("manifests/*")]),
    ):
        role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
    for bucket, keys in ((pictures, "*"), (thumbnails, "thumbnails/*"), (thumbnails, "manifests/*")):
        name = stack.get_logical_id(cast("s3.CfnBucket", bucket.node.default_child))
        acknowledge(
            role,
            f"AwsSolutions-IAM5[Resource::<{name}.Arn>/{keys}]",
            "The keys of the pictures are known only when the job runs. The keys of the thumbnails depend on them.",
        )
    return role
