"""The functions that CDK adds to a stack, for example to empty buckets or to set their notifications."""

from typing import Any

from aws_cdk import CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import IConstruct

from stacks._nag import acknowledge

BASIC_EXECUTION = "service-role/AWSLambdaBasicExecutionRole"


def add_helper_log_groups(stack: Stack, *, retention: logs.RetentionDays) -> None:
    """Give each of CDK's helper functions a log group in the stack, and grant it to write only there.

    Otherwise Lambda creates their log groups, which outlive the stack and never expire (aws-cdk #26553).
    Call this function last in a stack's constructor.
    """
    for construct in stack.node.find_all():
        if _is_helper(construct):
            _add_log_group(construct, retention)


def _is_helper(construct: IConstruct) -> bool:
    # A function of the stack is an L2 construct around a CfnFunction. CDK's helpers are plain CfnResources.
    return type(construct) is CfnResource and construct.cfn_resource_type == "AWS::Lambda::Function"


def _add_log_group(function: Any, retention: logs.RetentionDays) -> None:
    provider = function.node.scope
    group = logs.LogGroup(
        provider,
        "Logs",
        retention=retention,
        removal_policy=RemovalPolicy.DESTROY,  # a helper's last log lines are about the deletion of the stack
    )
    function.add_property_override("LoggingConfig", {"LogGroup": group.log_group_name})
    role = _cfn_role(provider)
    role.add_property_deletion_override("ManagedPolicyArns")
    if isinstance(role, iam.CfnRole):
        acknowledge(
            role,
            f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{BASIC_EXECUTION}]",
            "The template has a policy for one log group instead. cdk-nag does not see this override.",
        )
    policy = iam.CfnPolicy(
        provider,
        "LogsPolicy",
        roles=[role.ref],
        policy_name="Logs",
        policy_document=iam.PolicyDocument(
            statements=[
                iam.PolicyStatement(
                    actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[group.log_group_arn]
                )
            ]
        ),
    )
    function.add_resource_dependency(policy)


def _cfn_role(provider: IConstruct) -> CfnResource:
    role = provider.node.find_child("Role")
    child = role if isinstance(role, CfnResource) else role.node.default_child
    assert isinstance(child, CfnResource)  # noqa: S101 - for the type checker: this is always true for CDK's helpers
    return child
