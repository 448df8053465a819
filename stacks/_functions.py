"""A Lambda function with its own role and log group, and a queue for the events that the function failed to process."""

from collections.abc import Mapping
from typing import Any

import jsii
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks._bundling import ARCHITECTURE, RUNTIME, bundled_code
from stacks._nag import acknowledge

METRICS_NAMESPACE = "ComputeExamples"
"""The CloudWatch namespace of the metrics that functions write."""


def python_function(  # noqa: PLR0913 - keyword arguments
    stack: Stack,
    id_: str,
    package: str,
    *,
    environment: Mapping[str, str],
    log_retention: logs.RetentionDays,
    removal: RemovalPolicy,
    tracing: bool = True,
    module: str = "handler",
    prefix: str = "",
    **options: Any,
) -> lambda_.Function:
    """Return a function that runs `lambda_src/<package>`. Also add its log group "Logs" and its role "Role".

    The role may write to this log group and send traces to X-Ray. The stack grants all other permissions.
    `module` is the module of the package that contains the function `handler`. If a stack has several functions, each
    has its own `prefix` before the names "Logs" and "Role".
    `options` are further parameters of CDK's Function.
    """
    return lambda_.Function(
        stack,
        id_,
        code=bundled_code(package),
        handler=f"{package}.{module}.handler",
        runtime=RUNTIME,
        architecture=ARCHITECTURE,
        environment=_environment(stack, environment),
        **_role_and_logs(stack, prefix, log_retention=log_retention, removal=removal, tracing=tracing),
        **options,
    )


def image_function(  # noqa: PLR0913 - keyword arguments
    stack: Stack,
    id_: str,
    image: lambda_.DockerImageCode,
    *,
    architecture: str,
    environment: Mapping[str, str],
    log_retention: logs.RetentionDays,
    removal: RemovalPolicy,
    **options: Any,
) -> lambda_.DockerImageFunction:
    """Return a function that runs a container image for `arm64` or `x86_64`. The image contains the runtime.

    Also add its log group "Logs" and its role "Role", as `python_function` does. `options` are further parameters of
    CDK's DockerImageFunction.
    """
    return lambda_.DockerImageFunction(
        stack,
        id_,
        code=image,
        architecture=lambda_.Architecture.ARM_64 if architecture == "arm64" else lambda_.Architecture.X86_64,
        environment=_environment(stack, environment),
        **_role_and_logs(stack, "", log_retention=log_retention, removal=removal, tracing=True),
        **options,
    )


def _environment(stack: Stack, variables: Mapping[str, str]) -> dict[str, str]:
    return {"POWERTOOLS_SERVICE_NAME": stack.stack_name, **variables}


def _role_and_logs(
    stack: Stack, prefix: str, *, log_retention: logs.RetentionDays, removal: RemovalPolicy, tracing: bool
) -> dict[str, Any]:
    log_group = logs.LogGroup(stack, f"{prefix}Logs", retention=log_retention, removal_policy=removal)
    # CDK's default role would also allow the function to create log groups. A function that still runs while
    # CloudFormation deletes the stack could then create its log group again. The log group would remain for ever.
    role = iam.Role(stack, f"{prefix}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    if tracing:
        acknowledge(role, "AwsSolutions-IAM5[Resource::*]", "The actions of X-Ray cannot be limited to a resource.")
    return {"role": role, "log_group": log_group, "tracing": lambda_.Tracing.ACTIVE if tracing else None}


@jsii.implements(lambda_.IDestination)
class QueueDestination:
    """A queue to which Lambda sends a function's failed events. The function can only send messages to the queue.

    CDK's SqsDestination would also allow the function to read the queue's attributes, which is not necessary.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """

    def __init__(self, queue: sqs.Queue) -> None:
        self._queue = queue

    def bind(self, scope: Construct, fn: lambda_.IFunction, *_: Any, **__: Any) -> lambda_.DestinationConfig:  # noqa: ARG002 - CDK uses these names
        """Allow the function to send messages to the queue, and return the queue's ARN. CDK calls this method."""
        self._queue.grant(fn, "sqs:SendMessage")
        return lambda_.DestinationConfig(destination=self._queue.queue_arn)
