"""The patches of Batch: CloudFormation can create its resources, and a request for job definitions gets only these."""

import json
from typing import Any

from ministack.services import batch

from localaws.patches.cloudformation import Properties, add_type, api_names, require_success, resource_name


def add_batch_types() -> None:
    """Add compute environments, job queues and job definitions to CloudFormation.

    Stock engine: only the Batch API can create these resources. CloudFormation rejects a template that contains them
    ("Unrecognized resource types").
    AWS: CloudFormation creates these resources, and a job runs its container image. This patch does not run jobs: every
    job succeeds at once, and no container runs.
    Upstream issue: none known.
    """
    add_type(
        "AWS::Batch::ComputeEnvironment",
        _create_environment,
        _delete_environment,
        _update_environment,
        create_only=("ComputeEnvironmentName", "Type", "Tags"),
    )
    add_type(
        "AWS::Batch::JobQueue",
        _create_queue,
        _delete_queue,
        _update_queue,
        create_only=("JobQueueName", "JobQueueType"),
    )
    add_type(
        "AWS::Batch::JobDefinition",
        _create_definition,
        _delete_definition,
        _update_definition,
        create_only=("JobDefinitionName",),
    )


def describe_requested_definitions() -> None:
    """Describe only the job definitions that a request asks for.

    Stock engine: ignores the parameters ``jobDefinitions`` and ``status``, and describes all job definitions.
    AWS: each entry of ``jobDefinitions`` is an ARN or ``name:revision``. ``status`` selects active or inactive ones.
    https://docs.aws.amazon.com/batch/latest/APIReference/API_DescribeJobDefinitions.html
    Upstream issue: none known.
    """
    stock_describe = batch._DISPATCH["/v1/describejobdefinitions"]

    def describe(request: Properties) -> Any:
        status_code, headers, body = stock_describe(request)
        found = json.loads(body)["jobDefinitions"]
        if names := request.get("jobDefinitions"):
            wanted = {name.rsplit("/", 1)[-1] for name in names}
            found = [item for item in found if f"{item['jobDefinitionName']}:{item['revision']}" in wanted]
        if status := request.get("status"):
            found = [item for item in found if item["status"] == status]
        return status_code, headers, json.dumps({"jobDefinitions": found}).encode()

    batch._DISPATCH["/v1/describejobdefinitions"] = describe


def _api_request(properties: Properties) -> Properties:
    return {**api_names(properties), "tags": properties.get("Tags", {})}


def _create_environment(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
    name = resource_name(properties, "ComputeEnvironmentName", logical_id, stack)
    answer = batch._create_compute_environment({**_api_request(properties), "computeEnvironmentName": name})
    arn = require_success(answer)["computeEnvironmentArn"]
    return arn, {"ComputeEnvironmentArn": arn}


def _update_environment(arn: str, _old: Properties, new: Properties, _stack: str) -> tuple[str, Properties]:
    require_success(batch._update_compute_environment({**_api_request(new), "computeEnvironment": arn}))
    return arn, {"ComputeEnvironmentArn": arn}


def _delete_environment(arn: str, _properties: Properties) -> None:
    batch._compute_envs.pop(arn.rsplit("/", 1)[-1], None)


def _create_queue(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
    name = resource_name(properties, "JobQueueName", logical_id, stack)
    answer = batch._create_job_queue({**_api_request(properties), "jobQueueName": name})
    arn = require_success(answer)["jobQueueArn"]
    return arn, {"JobQueueArn": arn}


def _update_queue(arn: str, _old: Properties, new: Properties, _stack: str) -> tuple[str, Properties]:
    batch._job_queues[arn.rsplit("/", 1)[-1]].update(_api_request(new))
    return arn, {"JobQueueArn": arn}


def _delete_queue(arn: str, _properties: Properties) -> None:
    batch._job_queues.pop(arn.rsplit("/", 1)[-1], None)


def _create_definition(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
    return _register_revision(resource_name(properties, "JobDefinitionName", logical_id, stack), properties)


def _update_definition(arn: str, _old: Properties, new: Properties, _stack: str) -> tuple[str, Properties]:
    # The ARN of the new revision differs, so CloudFormation deletes the old revision when the update has succeeded.
    return _register_revision(_name_and_revision(arn)[0], new)


def _register_revision(name: str, properties: Properties) -> tuple[str, Properties]:
    request = {**_api_request(properties), "jobDefinitionName": name}
    arn = require_success(batch._register_job_definition(request))["jobDefinitionArn"]
    # The stock registration stores only the properties of the container.
    batch._job_definitions[name][-1].update(request)
    return arn, {"JobDefinitionArn": arn}


def _delete_definition(arn: str, _properties: Properties) -> None:
    # As on AWS, a deregistered revision remains as INACTIVE. Without it, the next revision would get the same number.
    name, revision = _name_and_revision(arn)
    revisions: list[Any] = batch._job_definitions.get(name, [])
    for item in revisions:
        if item["revision"] == revision:
            item["status"] = "INACTIVE"
    if all(item["status"] == "INACTIVE" for item in revisions):
        batch._job_definitions.pop(name, None)


def _name_and_revision(arn: str) -> tuple[str, int]:
    name, revision = arn.rsplit("/", 1)[-1].rsplit(":", 1)
    return name, int(revision)
