"""Reasons for permissions that no role uses in the local AWS, a program that imitates AWS on this machine.

A test fails if a reason is no longer true.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, kw_only=True)
class Reason:
    """The reason why the roles of a service have a permission, although no role uses it in the local AWS."""

    service: str
    """The AWS service that assumes the role: `lambda` for the role of a function."""
    actions: tuple[str, ...]
    """The actions in the grant, including their wildcards."""
    resource: str = "*"
    """A pattern for the resources of the grant."""
    stem: str = "*"
    """The short name of the example, or `*` for all examples."""
    why: str

    def covers(self, stem: str, service: str, action: str, resource: str) -> bool:
        """Whether this is the reason for the grant."""
        return (
            service == self.service
            and action in self.actions
            and fnmatchcase(resource, self.resource)
            and fnmatchcase(stem, self.stem)
        )


def stale_reasons(reasons: Iterable[Reason], grants: Iterable[tuple[str, str, str, str]]) -> Iterator[str]:
    """Yield a sentence for each action that has a reason but no grant.

    A grant is (stem, service, action, resource). `stem` is the short name of an example, such as ecs_ec2.
    """
    known_grants = list(grants)
    for reason in reasons:
        for action in reason.actions:
            if not any(action == grant[2] and reason.covers(*grant) for grant in known_grants):
                yield f"no role of {reason.service} is granted {action}: remove it from unused_permissions.py"


REASONS = (
    Reason(
        service="lambda",
        actions=("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
        why="The local AWS has no X-Ray. Lambda sends the traces as the function's role. "
        "https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html#services-xray-permissions",
    ),
    Reason(
        service="lambda",
        actions=("s3:GetBucket*", "s3:List*", "s3:DeleteObject*"),
        resource="${*",
        why="CDK grants these actions to its function that empties a bucket. used_permissions.txt lists the actions "
        "that the function uses. CDK changes the function and its permissions together. With fewer permissions, a "
        "newer version of the function might fail, and then the stack could not be deleted.",
    ),
    Reason(
        service="lambda",
        actions=("s3:PutBucketPolicy",),
        resource="*/[*]",
        why="CDK's statement names the bucket and its objects. For objects, the grant has no effect, because an "
        "object has no bucket policy.",
    ),
    Reason(
        service="lambda",
        actions=("dynamodb:GetItem", "sqs:SendMessage"),
        stem="function_image",
        why="The function reads an item only if two events of a picture overlap. Lambda sends only failed events to "
        "the queue. The tests of thumbnail cause both, and this function has the same code.",
    ),
    Reason(
        service="scheduler",
        actions=("sqs:SendMessage",),
        why="The schedules of the local AWS have no dead-letter queue. "
        "https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html",
    ),
    Reason(
        service="scheduler",
        actions=("batch:SubmitJob",),
        resource="${*",
        stem="batch",
        why="Only the setting batch_schedule adds this role, and the schedules of the local AWS submit no jobs. A job "
        "needs a queue and a definition. "
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbatch.html",
    ),
    Reason(
        service="firehose",
        actions=(
            "s3:AbortMultipartUpload",
            "s3:GetBucketLocation",
            "s3:GetObject",
            "s3:ListBucket",
            "s3:ListBucketMultipartUploads",
            "s3:PutObject",
        ),
        stem="api",
        why="The local AWS writes no access logs. AWS lists exactly these actions for a bucket. "
        "https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3",
    ),
    Reason(
        service="lambda",
        actions=(
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
        ),
        stem="websocket",
        why="Locally, the engine reads the stream itself. On AWS, Lambda reads it with the function's role. "
        "https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html",
    ),
    Reason(
        service="lambda",
        actions=("sqs:SendMessage",),
        resource="${DeadLetters*",
        stem="websocket",
        why="Locally, no broadcast fails for five minutes. On AWS, Lambda sends what fails with the function's role. "
        "https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html",
    ),
    Reason(
        service="lambda",
        actions=("execute-api:ManageConnections",),
        resource="${*}/live/DELETE/@connections/*",
        stem="websocket",
        why="The function closes the connections of slow clients, and no local client is slow. "
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html",
    ),
    Reason(
        service="vpc-flow-logs",
        actions=("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
        why="The local AWS has no network packets. AWS lists these actions, and actions that create and list log "
        "groups. https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html",
    ),
    Reason(
        service="ecs-tasks",
        actions=("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
        resource="arn:*:repository/*",
        why="Locally, the container tool pulls images. On AWS, the ECS agent pulls them with the execution role. "
        "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html",
    ),
    Reason(
        service="ecs-tasks",
        actions=("ecr:GetAuthorizationToken",),
        why="With this action, the ECS agent gets its password for ECR. The password allows only the pulls that the "
        "role allows. The action supports no other resource than *.",
    ),
    Reason(
        service="ecs-tasks",
        actions=("logs:CreateLogStream", "logs:PutLogEvents"),
        why="Locally, the container tool keeps a container's output. On AWS, the agent logs it with the execution "
        "role. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html",
    ),
    Reason(
        service="ec2",
        actions=(
            "ecs:DiscoverPollEndpoint",
            "ecs:RegisterContainerInstance",
            "ecs:DeregisterContainerInstance",
            "ecs:Poll",
            "ecs:StartTelemetrySession",
            "ecs:SubmitContainerStateChange",
            "ecs:SubmitTaskStateChange",
            "ecs:SubmitAttachmentStateChanges",
        ),
        stem="ecs_ec2",
        why="The local AWS only stores instances, so no ECS agent runs on them. On AWS, the agent joins the cluster, "
        "gets its tasks, and reports their state. "
        "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/instance_IAM_role.html",
    ),
    Reason(
        service="ec2",
        actions=(
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        ),
        stem="ecs_ec2",
        why="The SSM agent does not run locally either. On AWS, `aws ssm start-session` connects to it. "
        "https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html",
    ),
    Reason(
        service="ec2",
        actions=("policy/service-role/AmazonEC2ContainerServiceforEC2Role",),
        stem="batch",
        why="The ECS agent on Batch's instances needs this policy. Our own policy could not name the cluster, "
        "because Batch creates it. https://docs.aws.amazon.com/batch/latest/userguide/instance_IAM_role.html",
    ),
)
