"""The role of EventBridge Scheduler."""

from collections.abc import Mapping

from aws_cdk import Stack
from aws_cdk import aws_iam as iam


def scheduler_role(stack: Stack, id_: str, *, grants: Mapping[str, str] | None = None) -> iam.Role:
    """Return the role that EventBridge Scheduler assumes for a schedule. `grants` maps an action to the resource."""
    role = iam.Role(
        stack,
        id_,
        # Only this account's schedules may use the role. Otherwise Scheduler would also use it for other accounts.
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
        assumed_by=iam.ServicePrincipal(
            "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
        ),
    )
    for action, resource in (grants or {}).items():
        role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[resource]))
    return role
