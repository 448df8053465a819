"""The functions that CDK adds to a stack by itself: emptying buckets, setting notifications."""

from typing import Any

from aws_cdk import CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import IConstruct

from stacks._nag import acknowledge

BASIC_EXECUTION = "service-role/AWSLambdaBasicExecutionRole"


def add_helper_log_groups(stack: Stack, *, retention: logs.RetentionDays) -> None:
    """Give each of CDK's helper functions a log group of the stack, and permission to write there alone.

    Left alone, they write to groups that Lambda creates, keeps for ever and that outlive the stack (aws-cdk #26553).
    Call it last in a stack's constructor.
    """
    for construct in stack.node.find_all():
        if _is_helper(construct):
            _own_logs(construct, retention)


def _is_helper(construct: IConstruct) -> bool:
    # The functions of a stack are L2 constructs around a CfnFunction; CDK's own are bare CfnResources.
    return type(construct) is CfnResource and construct.cfn_resource_type == "AWS::Lambda::Function"


def _own_logs(function: Any, retention: logs.RetentionDays) -> None:
    provider = function.node.scope
    group = logs.LogGroup(
        provider,
        "Logs",
        retention=retention,
        removal_policy=RemovalPolicy.DESTROY,  # the last words of a helper are those of the stack's deletion
    )
    function.add_property_override("LoggingConfig", {"LogGroup": group.log_group_name})
    role = _cfn_role(provider)
    role.add_property_deletion_override("ManagedPolicyArns")
    if isinstance(role, iam.CfnRole):
        acknowledge(
            role,
            f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{BASIC_EXECUTION}]",
            "The template does not have it: a policy for one log group stands in its place. cdk-nag does not see that.",
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
    assert isinstance(child, CfnResource)  # noqa: S101 - for the type checker; CDK's helpers have no other shape
    return child
