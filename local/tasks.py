"""Replace the tasks of ECS services, without a failed request."""

import re
from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from local.image_folders import deployed_images
from local.waiting import wait_for
from localaws.aws import LocalError

PATIENCE_SECONDS = 120
"""The time in which new tasks should be healthy. On a busy machine, they may need longer."""
COPIED_FIELDS = (
    *("family", "taskRoleArn", "executionRoleArn", "networkMode", "containerDefinitions", "volumes"),
    *("placementConstraints", "requiresCompatibilities", "cpu", "memory", "pidMode", "ipcMode"),
    *("ephemeralStorage", "runtimePlatform"),
)
"""The fields of a task definition that a new revision copies. ECS sets the other fields itself.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
"""


class SlowTasksError(LocalError):
    """New tasks are not healthy after PATIENCE_SECONDS. They may become healthy later."""


def container_folders(cloudformation: Any, assembly: Path) -> dict[str, dict[str, str]]:
    """Return the folder in containers/ of the image of each container, by the ARN of its service and by its name.

    `assembly` is the folder with the synthesized stacks. The result does not contain images from a registry.
    """
    folders: dict[str, dict[str, str]] = {}
    for stack, images in deployed_images(cloudformation, assembly):
        resources = images.template.get("Resources", {})
        definition_ids = _definition_ids(images.template)
        ids = _physical_ids(cloudformation, stack) if definition_ids else {}
        for service, definition in definition_ids.items():
            containers = resources[definition]["Properties"].get("ContainerDefinitions", [])
            found = {each["Name"]: images.folder_of(each["Image"]) for each in containers}
            if ids.get(service):
                folders[ids[service]] = {name: folder for name, folder in found.items() if folder}
    return folders


def replace_tasks(ecs: Any, services: Collection[str]) -> None:
    """Replace all tasks of these services. `services` are ARNs.

    The load balancer sends requests to an old task until a new one is healthy. Raises LocalError if new tasks fail.
    """
    _update_services(ecs, {service: _record(ecs, service)["taskDefinition"] for service in services})


def run_image(ecs: Any, containers: Mapping[str, Collection[str]], build_image: Callable[[str], str]) -> None:
    """Replace all tasks of some services by tasks with a new image.

    `containers` has the names of the containers that get the image, by the ARN of their service. `build_image` receives
    the URI of the repository of the image, and returns the URI of the new image. The service gets a new revision of its
    task definition. CloudFormation does not know this revision: see `use_deployed_definitions`. Raises LocalError if
    new tasks fail.
    """
    build_once = cache(build_image)  # several services run the same image
    definitions: dict[str, str] = {}
    try:
        for service, names in containers.items():
            arn = _record(ecs, service)["taskDefinition"]
            definitions[service] = _register_revision(ecs, arn, names, build_once)
        _update_services(ecs, definitions)
    finally:
        # The tasks of a deregistered revision continue to run, and ECS still replaces ended ones. So `make local-down`
        # finds only the revisions of the stacks.
        for arn in definitions.values():
            ecs.deregister_task_definition(taskDefinition=arn)


def use_deployed_definitions(cloudformation: Any, ecs: Any, stacks: Collection[str]) -> list[str]:
    """Run the task definitions of these stacks if services run other ones. Return the names of these services.

    `run_image` gives a service another image. If a person then restores the files of the last deployment, the template
    has not changed, so CloudFormation does not replace the tasks.
    """
    definitions: dict[str, str] = {}
    for stack in stacks:
        definitions |= _deployed_definitions(cloudformation, stack)
    running = _definitions(ecs)
    outdated = {service: arn for service, arn in definitions.items() if running.get(service, arn) != arn}
    _update_services(ecs, outdated)
    return [service_name(service) for service in outdated]


def _deployed_definitions(cloudformation: Any, stack: str) -> dict[str, str]:
    # Return the ARN of the task definition in the template of each service, by the ARN of the service.
    definition_ids = _definition_ids(cloudformation.get_template(StackName=stack)["TemplateBody"])
    ids = _physical_ids(cloudformation, stack) if definition_ids else {}
    return {
        ids[service]: ids[definition]
        for service, definition in definition_ids.items()
        if ids.get(service) and ids.get(definition)
    }


def _definition_ids(template: Any) -> dict[str, str]:
    # Return the logical ID of the task definition of each service in the template, by the service's logical ID.
    resources = template.get("Resources", {}) if isinstance(template, dict) else {}  # CDK's own stack is YAML text
    services = {name: found for name, found in resources.items() if found["Type"] == "AWS::ECS::Service"}
    references = {name: found["Properties"].get("TaskDefinition") for name, found in services.items()}
    return {
        name: reference["Ref"]
        for name, reference in references.items()
        if isinstance(reference, dict) and reference.get("Ref") in resources
    }


def _physical_ids(cloudformation: Any, stack: str) -> dict[str, str]:
    return {
        resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "")
        for resource in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    }


def _definitions(ecs: Any) -> dict[str, str]:
    # Return the ARN of the task definition of each service, by the ARN of the service.
    return {
        service: _record(ecs, service)["taskDefinition"]
        for cluster in _clusters(ecs)
        for service in _services(ecs, cluster)
    }


def _register_revision(ecs: Any, arn: str, names: Collection[str], build_image: Callable[[str], str]) -> str:
    definition = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    fields = {name: definition[name] for name in COPIED_FIELDS if definition.get(name)}
    containers = [
        {**each, "image": build_image(re.split("[:@]", each["image"])[0])} if each["name"] in names else each
        for each in definition["containerDefinitions"]
    ]
    revision = ecs.register_task_definition(**{**fields, "containerDefinitions": containers})
    return str(revision["taskDefinition"]["taskDefinitionArn"])


def _update_services(ecs: Any, definitions: Mapping[str, str]) -> None:
    for service, arn in definitions.items():
        ecs.update_service(cluster=_cluster(service), service=service, taskDefinition=arn, forceNewDeployment=True)
    for service, arn in definitions.items():
        is_steady = wait_for(partial(_is_steady, ecs, service), seconds=PATIENCE_SECONDS)
        if _record(ecs, service)["taskDefinition"] != arn:
            raise LocalError(
                f"the new tasks of {service_name(service)} failed, so ECS returned to the old task definition"
            )
        if not is_steady:
            raise SlowTasksError(
                f"the new tasks of {service_name(service)} are not healthy after {PATIENCE_SECONDS} s. "
                "As soon as they are healthy, they replace the old ones"
            )


def service_name(service: str) -> str:
    """Return the name of a service. `service` is its ARN."""
    return service.rsplit("/", 1)[-1]


def _cluster(service: str) -> str:
    # The ARN of a service ends with service/CLUSTER/NAME.
    return service.split("/")[-2]


def _record(ecs: Any, service: str) -> Any:
    (record,) = ecs.describe_services(cluster=_cluster(service), services=[service])["services"]
    return record


def _clusters(ecs: Any) -> list[str]:
    return list(ecs.list_clusters()["clusterArns"])


def _services(ecs: Any, cluster: str) -> list[str]:
    return list(ecs.list_services(cluster=cluster)["serviceArns"])


def _is_steady(ecs: Any, service: str) -> bool:
    return [deployment["rolloutState"] for deployment in _record(ecs, service)["deployments"]] == ["COMPLETED"]
