"""Every log goes to a log group of the stack that has a retention. Nothing may create another log group."""

from collections.abc import Iterator
from typing import Any

from tests.contracts.reading import allowed_actions, allows, name_of
from tools.templates import Template, resources

GROUP = "AWS::Logs::LogGroup"
CREATE_LOG_GROUPS = (
    "AWS::ApiGateway::Account",  # the account's role for execution logs, in groups that API Gateway creates
    *("AWS::AppSync::GraphQLApi", "AWS::CodeBuild::Project", "AWS::Glue::Job", "AWS::Synthetics::Canary"),
)
"""Types that log to groups that they create themselves."""


def faults(template: Template) -> list[str]:
    """Return the resources that log outside the stack's log groups, or could."""
    groups = set(resources(template, GROUP))
    return [
        *_of_groups(template),
        *_of_functions(template, groups),
        *_of_containers(template, groups),
        *_of_gateways(template, groups),
        *_of_flow_logs(template, groups),
        *_of_roles(template),
        *(
            f"{name}: {kind} creates log groups by itself, and this contract does not know how to prevent that"
            for kind in CREATE_LOG_GROUPS
            for name in resources(template, kind)
        ),
    ]


def _of_groups(template: Template) -> Iterator[str]:
    for name, group in resources(template, GROUP).items():
        if not group.get("Properties", {}).get("RetentionInDays"):
            yield f"{name} has no retention, so it keeps its logs for ever"


def _of_functions(template: Template, groups: set[str]) -> Iterator[str]:
    for name, function in resources(template, "AWS::Lambda::Function").items():
        if name_of(function["Properties"].get("LoggingConfig", {}).get("LogGroup")) not in groups:
            yield f"{name} writes to a log group that Lambda creates"


def _of_containers(template: Template, groups: set[str]) -> Iterator[str]:
    for name, task in resources(template, "AWS::ECS::TaskDefinition").items():
        for container in task["Properties"]["ContainerDefinitions"]:
            yield from _of_container(f"{container['Name']} of {name}", container, groups)
    for name, job in resources(template, "AWS::Batch::JobDefinition").items():
        container = job["Properties"].get("ContainerProperties")
        if container is None:
            yield f"{name} has a kind of containers that this contract does not know"
        else:
            yield from _of_container(name, container, groups)


def _of_container(name: str, container: Any, groups: set[str]) -> Iterator[str]:
    # Without a configuration, Batch creates a log group and ECS keeps no logs.
    log = container.get("LogConfiguration", {})
    if log.get("LogDriver") != "awslogs" or name_of(log["Options"].get("awslogs-group")) not in groups:
        yield f"{name} does not log to a group of the stack"
    if log.get("Options", {}).get("awslogs-create-group"):
        yield f"{name} would create its log group"


def _of_gateways(template: Template, groups: set[str]) -> Iterator[str]:
    known = groups | set(resources(template, "AWS::KinesisFirehose::DeliveryStream"))
    for name, stage in resources(template, "AWS::ApiGateway::Stage").items():
        found = stage["Properties"]
        if name_of(found.get("AccessLogSetting", {}).get("DestinationArn")) not in known:
            yield f"{name} has no access log in the stack"
        if any(one.get("LoggingLevel", "OFF") != "OFF" for one in found.get("MethodSettings", [])):
            yield f"{name} writes execution logs to a group that API Gateway creates"


def _of_flow_logs(template: Template, groups: set[str]) -> Iterator[str]:
    for name, flow in resources(template, "AWS::EC2::FlowLog").items():
        if name_of(flow["Properties"].get("LogGroupName")) not in groups:
            yield f"{name} does not write to a group of the stack"


def _of_roles(template: Template) -> Iterator[str]:
    for name in resources(template, "AWS::IAM::Role"):
        if allows(allowed_actions(template, name), "logs:CreateLogGroup"):
            yield f"{name} could create log groups, which would stay behind"
