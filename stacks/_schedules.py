"""The role with which EventBridge Scheduler starts a function or a job."""

from collections.abc import Mapping

from aws_cdk import Stack
from aws_cdk import aws_iam as iam


def scheduler_role(stack: Stack, id_: str, *, grants: Mapping[str, str] | None = None) -> iam.Role:
    """Return the role that EventBridge Scheduler assumes for a schedule. `grants` maps actions to resources."""
    role = iam.Role(
        stack,
        id_,
        # Only schedules of this account may use the role. Without the condition, another account could use the role.
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
        assumed_by=iam.ServicePrincipal(
            "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
        ),
    )
    for action, resource in (grants or {}).items():
        role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[resource]))
    return role
