"""Types of Batch, Lightsail and Budgets, which CloudFormation lacks. Of Lightsail and Budgets nothing runs here."""

from typing import Any

from ministack.services import batch

from localaws.patches.cloudformation import Properties, add_type, camel, name_of, succeeded
from localaws.patches.recorded import add_recorded


def add_batch_types() -> None:
    """Compute environments, queues and job definitions of the engine's own Batch."""
    add_type("AWS::Batch::ComputeEnvironment", _make_environment, _drop_environment, _change_environment)
    add_type("AWS::Batch::JobQueue", _make_queue, _drop_queue, _change_queue)
    add_type("AWS::Batch::JobDefinition", _define_job, _forget_job)


def add_recorded_examples() -> None:
    """Lightsail and Budgets, as records."""
    add_recorded(
        "AWS::Lightsail::Instance",
        name="InstanceName",
        service="lightsail",
        attributes=("InstanceArn", "PublicIpAddress", "PrivateIpAddress", "IsStaticIp", "UserName", "SshKeyName"),
    )
    add_recorded(
        "AWS::Lightsail::StaticIp",
        name="StaticIpName",
        service="lightsail",
        attributes=("IpAddress", "IsAttached", "StaticIpArn"),
    )
    for kind in ("Alarm", "Bucket", "Disk"):
        add_recorded(
            f"AWS::Lightsail::{kind}", name=f"{kind}Name", service="lightsail", attributes=(f"{kind}Arn", "State")
        )
    add_recorded(
        "AWS::Lightsail::Database",
        name="RelationalDatabaseName",
        service="lightsail",
        attributes=("DatabaseArn",),
    )
    add_recorded("AWS::Budgets::Budget", prefix="budget-")


def _environment(properties: Properties) -> Properties:
    return {**camel(properties), "tags": properties.get("Tags", {})}


def _make_environment(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
    name = name_of(properties, "ComputeEnvironmentName", logical_id, stack)
    made = succeeded(batch._create_compute_environment({**_environment(properties), "computeEnvironmentName": name}))
    arn = made["computeEnvironmentArn"]
    return arn, {"ComputeEnvironmentArn": arn}


def _change_environment(arn: str, _old: Properties, new: Properties, _stack: str) -> tuple[str, Properties]:
    succeeded(batch._update_compute_environment({**_environment(new), "computeEnvironment": arn}))
    return arn, {"ComputeEnvironmentArn": arn}


def _drop_environment(arn: str, _properties: Properties) -> None:
    batch._compute_envs.pop(arn.rsplit("/", 1)[-1], None)


def _queue(properties: Properties) -> Properties:
    return {**camel(properties), "tags": properties.get("Tags", {})}


def _make_queue(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
    name = name_of(properties, "JobQueueName", logical_id, stack)
    arn = succeeded(batch._create_job_queue({**_queue(properties), "jobQueueName": name}))["jobQueueArn"]
    return arn, {"JobQueueArn": arn}


def _change_queue(arn: str, _old: Properties, new: Properties, _stack: str) -> tuple[str, Properties]:
    batch._job_queues[arn.rsplit("/", 1)[-1]].update(_queue(new))
    return arn, {"JobQueueArn": arn}


def _drop_queue(arn: str, _properties: Properties) -> None:
    batch._job_queues.pop(arn.rsplit("/", 1)[-1], None)


def _define_job(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
    name = name_of(properties, "JobDefinitionName", logical_id, stack)
    request = {**camel(properties), "jobDefinitionName": name, "tags": properties.get("Tags", {})}
    arn = succeeded(batch._register_job_definition(request))["jobDefinitionArn"]
    # Registering keeps no more than the container.
    batch._job_definitions[name][-1].update(request)
    return arn, {"JobDefinitionArn": arn}


def _forget_job(arn: str, _properties: Properties) -> None:
    name, revision = arn.rsplit("/", 1)[-1].rsplit(":", 1)
    left: list[Any] = [job for job in batch._job_definitions.get(name, []) if job["revision"] != int(revision)]
    if left:
        batch._job_definitions[name] = left
    else:
        batch._job_definitions.pop(name, None)
