"""Log groups for the functions that CDK itself adds to a stack, for example to empty a bucket."""

from typing import Any

from aws_cdk import CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import IConstruct

from stacks._nag import acknowledge

BASIC_EXECUTION_POLICY = "service-role/AWSLambdaBasicExecutionRole"


def add_helper_log_groups(stack: Stack, *, retention: logs.RetentionDays) -> None:
    """Add a log group for each of CDK's helper functions, and allow the function to write only to this log group.

    If the stack has no such log groups, Lambda creates them. Their events never expire, and the log groups remain after
    the stack is deleted (aws-cdk #26553). Call this function last in a stack's constructor.
    """
    for construct in stack.node.find_all():
        if _is_helper(construct):
            _add_log_group(construct, retention)


def _is_helper(construct: IConstruct) -> bool:
    # The example's own functions are constructs of the type CfnFunction, a subclass of CfnResource. CDK's helper
    # functions have exactly the type CfnResource.
    return type(construct) is CfnResource and construct.cfn_resource_type == "AWS::Lambda::Function"


def _add_log_group(function: Any, retention: logs.RetentionDays) -> None:
    provider = function.node.scope
    log_group = logs.LogGroup(
        provider,
        "Logs",
        retention=retention,
        removal_policy=RemovalPolicy.DESTROY,  # these logs only describe deployments and the deletion of the stack
    )
    function.add_property_override("LoggingConfig", {"LogGroup": log_group.log_group_name})
    role = _cfn_role(provider)
    role.add_property_deletion_override("ManagedPolicyArns")
    if isinstance(role, iam.CfnRole):
        acknowledge(
            role,
            f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{BASIC_EXECUTION_POLICY}]",
            "A policy for one log group replaces this managed policy, but cdk-nag does not see the override.",
        )
    policy = iam.CfnPolicy(
        provider,
        "LogsPolicy",
        roles=[role.ref],
        policy_name="Logs",
        policy_document=iam.PolicyDocument(
            statements=[
                iam.PolicyStatement(
                    actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn]
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
