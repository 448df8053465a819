"""Why a role is granted what it does not use in the local AWS. A row that is not true any more fails the tests."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why the roles that a service takes are granted actions that they do not use where it can be seen."""

    service: str
    """Of AWS's: `lambda` for what a function may."""
    actions: tuple[str, ...]
    """As they are granted, with their wildcards."""
    resource: str = "*"
    """What they are granted for, with wildcards of its own."""
    stem: str = "*"
    """The example; `*` are all, and a ninth."""
    why: str

    def covers(self, stem: str, service: str, action: str, resource: str) -> bool:
        """Whether it is the reason for this grant."""
        return (
            service == self.service
            and action in self.actions
            and fnmatchcase(resource, self.resource)
            and fnmatchcase(stem, self.stem)
        )


def stale(reasons: Iterable[Reason], grants: Iterable[tuple[str, str, str, str]]) -> Iterator[str]:
    """What a reason is given for and nobody is granted, of (example, service, action, resource)."""
    known = list(grants)
    for reason in reasons:
        for action in reason.actions:
            if not any(action == grant[2] and reason.covers(*grant) for grant in known):
                yield f"no role of {reason.service} is granted {action}: take it out of unused_permissions.py"


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
        why="CDK's own, to empty a bucket; used_permissions.json tells what of it is used. CDK's function and its permissions "
        "change together: narrowed here, a newer function might fail, and with it the deletion of the stack.",
    ),
    Reason(
        service="lambda",
        actions=("s3:PutBucketPolicy",),
        resource="*/[*]",
        why="Allows nothing: an object has no bucket policy. CDK's statement names bucket and objects together.",
    ),
    Reason(
        service="scheduler",
        actions=("sqs:SendMessage",),
        why="The local AWS's schedules have no dead-letter queue. "
        "https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html",
    ),
    Reason(
        service="scheduler",
        actions=("batch:SubmitJob",),
        resource="${*",
        stem="batch",
        why="With batch_schedule alone, and the local AWS's schedules submit no jobs. A job is submitted to a queue "
        "from a definition. https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbatch.html",
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
        why="The local AWS writes no access logs. It is AWS's list for a bucket, to the letter. "
        "https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3",
    ),
    Reason(
        service="vpc-flow-logs",
        actions=("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
        why="The local AWS has no packets. It is AWS's list, but for what makes and looks for log groups. "
        "https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html",
    ),
    Reason(
        service="ecs-tasks",
        actions=(
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
        ),
        resource="arn:*:repository/*",
        why="Here the container tool pulls, in AWS the ECS agent, as the execution role. "
        "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html",
    ),
    Reason(
        service="ecs-tasks",
        actions=("ecr:GetAuthorizationToken",),
        why="The agent's password at ECR, and good for no more than the role may pull. Not for single repositories.",
    ),
    Reason(
        service="ecs-tasks",
        actions=("logs:CreateLogStream", "logs:PutLogEvents"),
        why="Here what a container says stays with the container tool; in AWS the agent logs it as the execution role. "
        "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html",
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
        why="The local AWS's instances are records, and no agent runs on them. It joins the cluster, is told what to "
        "run, and reports. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/instance_IAM_role.html",
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
        why="Nor does SSM's agent, for a shell by `aws ssm start-session`. "
        "https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html",
    ),
    Reason(
        service="ec2",
        actions=("policy/service-role/AmazonEC2ContainerServiceforEC2Role",),
        stem="batch",
        why="The same agent's, on Batch's instances. Batch makes the cluster, so that no policy can name it. "
        "https://docs.aws.amazon.com/batch/latest/userguide/instance_IAM_role.html",
    ),
)
