"""Every log goes to a log group of the stack, and each log group has a retention. There are no other log groups."""

from collections.abc import Iterator
from typing import Any

from tests.contracts.reading import allowed_actions, allows, name_of
from tools.templates import Template, resources

LOG_GROUP = "AWS::Logs::LogGroup"
TYPES_WITH_OWN_LOG_GROUPS = (
    "AWS::ApiGateway::Account",  # with it, API Gateway creates log groups for execution logs
    *("AWS::AppSync::GraphQLApi", "AWS::CodeBuild::Project", "AWS::Glue::Job", "AWS::Synthetics::Canary"),
)
"""Types whose service creates log groups outside the stack."""


def faults(template: Template) -> list[str]:
    """Return the resources that log outside the stack's log groups, and the roles that could create log groups."""
    groups = set(resources(template, LOG_GROUP))
    return [
        *_log_group_faults(template),
        *_function_faults(template, groups),
        *_task_and_job_faults(template, groups),
        *_stage_faults(template, groups),
        *_websocket_stage_faults(template, groups),
        *_flow_log_faults(template, groups),
        *_role_faults(template),
        *(
            f"{name}: {kind} creates log groups by itself, and no setting prevents this"
            for kind in TYPES_WITH_OWN_LOG_GROUPS
            for name in resources(template, kind)
        ),
    ]


def _log_group_faults(template: Template) -> Iterator[str]:
    for name, group in resources(template, LOG_GROUP).items():
        if not group.get("Properties", {}).get("RetentionInDays"):
            yield f"{name} has no retention, so it keeps its logs for ever"


def _function_faults(template: Template, groups: set[str]) -> Iterator[str]:
    for name, function in resources(template, "AWS::Lambda::Function").items():
        if name_of(function["Properties"].get("LoggingConfig", {}).get("LogGroup")) not in groups:
            yield f"{name} writes to a log group that Lambda creates"


def _task_and_job_faults(template: Template, groups: set[str]) -> Iterator[str]:
    for name, task in resources(template, "AWS::ECS::TaskDefinition").items():
        for container in task["Properties"]["ContainerDefinitions"]:
            yield from _container_faults(f"{container['Name']} of {name}", container, groups)
    for name, job in resources(template, "AWS::Batch::JobDefinition").items():
        container = job["Properties"].get("ContainerProperties")
        if container is None:
            yield f"{name} has no ContainerProperties, and this contract checks no other kind of job"
        else:
            yield from _container_faults(name, container, groups)


def _container_faults(name: str, container: Any, groups: set[str]) -> Iterator[str]:
    # Without a log configuration, Batch writes to its own log group, and ECS keeps no logs.
    log = container.get("LogConfiguration", {})
    if log.get("LogDriver") != "awslogs" or name_of(log["Options"].get("awslogs-group")) not in groups:
        yield f"{name} does not log to a log group of the stack"
    if log.get("Options", {}).get("awslogs-create-group"):
        yield f"{name} would create its log group"


def _stage_faults(template: Template, groups: set[str]) -> Iterator[str]:
    destinations = groups | set(resources(template, "AWS::KinesisFirehose::DeliveryStream"))
    for name, stage in resources(template, "AWS::ApiGateway::Stage").items():
        properties = stage["Properties"]
        if name_of(properties.get("AccessLogSetting", {}).get("DestinationArn")) not in destinations:
            yield f"{name} has no access log in the stack"
        if any(one.get("LoggingLevel", "OFF") != "OFF" for one in properties.get("MethodSettings", [])):
            yield f"{name} writes execution logs to a log group that API Gateway creates"


def _websocket_stage_faults(template: Template, groups: set[str]) -> Iterator[str]:
    # The access log of a WebSocket API needs a role in the settings of the account. So a stage may have none.
    for name, stage in resources(template, "AWS::ApiGatewayV2::Stage").items():
        properties = stage["Properties"]
        access_log = properties.get("AccessLogSettings")
        if access_log and name_of(access_log["DestinationArn"]) not in groups:
            yield f"{name} writes its access log outside the stack"
        routes = [properties.get("DefaultRouteSettings", {}), *properties.get("RouteSettings", {}).values()]
        if any(one.get("LoggingLevel", "OFF") != "OFF" for one in routes):
            yield f"{name} writes execution logs to a log group that API Gateway creates"


def _flow_log_faults(template: Template, groups: set[str]) -> Iterator[str]:
    for name, flow in resources(template, "AWS::EC2::FlowLog").items():
        if name_of(flow["Properties"].get("LogGroupName")) not in groups:
            yield f"{name} does not write to a log group of the stack"


def _role_faults(template: Template) -> Iterator[str]:
    for name in resources(template, "AWS::IAM::Role"):
        if allows(allowed_actions(template, name), "logs:CreateLogGroup"):
            yield f"{name} could create log groups, which would stay when the stack is deleted"
