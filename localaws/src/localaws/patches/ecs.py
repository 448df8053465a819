"""Patches of ECS clusters and services in CloudFormation. The patch that runs tasks is in ecs_tasks.py."""

from typing import Any

from ministack.services import autoscaling, ec2, ecs

from localaws.patches.cloudformation import (
    Properties,
    add_stored_type,
    add_type,
    api_names,
    call_after_provisioning,
    require_success,
    resource_name,
)


def add_cluster_types() -> None:
    """Add capacity providers and automatic scaling to CloudFormation.

    A capacity provider starts tasks on the instances of an Auto Scaling group. Automatic scaling changes the number of
    tasks of a service between a minimum and a maximum.

    Stock engine: only the ECS API can create capacity providers. CloudFormation rejects a template with these types.
    AWS: creates the resources. With this patch, the number of tasks obeys the minimum and the maximum. Scaling policies
    are only stored: they never change the number of tasks.
    Upstream issue: none known.
    """
    add_type("AWS::ECS::CapacityProvider", _create_provider, _delete_provider, _update_provider, create_only=("Name",))
    add_type(
        "AWS::ECS::ClusterCapacityProviderAssociations",
        _associate,
        _dissociate,
        lambda _id, _old, new, stack: _associate(_id, new, stack),
        create_only=("Cluster",),
    )
    target, names = (
        "AWS::ApplicationAutoScaling::ScalableTarget",
        ("ResourceId", "ScalableDimension", "ServiceNamespace"),
    )
    add_stored_type(target, prefix="target-", create_only=names, attributes=("Id",))
    call_after_provisioning(target, lambda properties, _: _apply_capacity_bounds(properties))
    add_stored_type(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        prefix="policy-",
        create_only=(*names, "PolicyName", "ScalingTargetId"),
        attributes=("Arn",),
    )


def keep_task_definition_properties() -> None:
    """Keep the properties of task definitions and services in a template.

    Stock engine: CloudFormation loses some properties, such as RuntimePlatform, HealthCheck and PlacementStrategies.
    AWS: keeps all properties. The ECS API returns them.
    Upstream issue: none known.
    """
    call_after_provisioning("AWS::ECS::TaskDefinition", _keep_definition_properties)
    call_after_provisioning("AWS::ECS::Service", _keep_service_properties)


def add_group_instances() -> None:
    """Add instances to an Auto Scaling group that CloudFormation creates, in the zones of its subnets.

    Stock engine: creates the group with one zone and without instances.
    AWS: starts the instances. With this patch the API lists the instances, but no machine runs.
    Upstream issue: none known.
    """
    call_after_provisioning("AWS::AutoScaling::AutoScalingGroup", _add_instances)


def provider_instances(provider: str) -> list[Any]:
    """Return the instances on which a capacity provider starts tasks."""
    group_arn = ecs._capacity_providers[provider]["autoScalingGroupProvider"]["autoScalingGroupArn"]
    return list(autoscaling._asgs[group_arn.rsplit("/", 1)[-1]]["Instances"])


def _create_provider(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
    name = resource_name(properties, "Name", logical_id, stack)
    require_success(ecs._create_capacity_provider({**api_names(properties), "name": name}))
    return name, {}


def _update_provider(name: str, _old: Properties, new: Properties, _stack: str) -> tuple[str, Properties]:
    require_success(ecs._update_capacity_provider({**api_names(new), "name": name}))
    return name, {}


def _delete_provider(name: str, _properties: Properties) -> None:
    ecs._delete_capacity_provider({"capacityProvider": name})


def _associate(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Properties]:
    require_success(ecs._put_cluster_capacity_providers(api_names(properties)))
    return str(properties["Cluster"]), {}


def _dissociate(cluster: str, _properties: Properties) -> None:
    if cluster in ecs._clusters:
        empty: dict[str, Any] = {"capacityProviders": [], "defaultCapacityProviderStrategy": []}
        require_success(ecs._put_cluster_capacity_providers({"cluster": cluster, **empty}))


def _apply_capacity_bounds(properties: Properties) -> None:
    # As on AWS, a count below the minimum becomes the minimum, and a count above the maximum becomes the maximum.
    kind, cluster, service = properties["ResourceId"].split("/")
    current_count = ecs._services[f"{cluster}/{service}"]["desiredCount"]
    new_count = min(max(current_count, int(properties["MinCapacity"])), int(properties["MaxCapacity"]))
    if kind == "service" and new_count != current_count:
        require_success(ecs._update_service({"cluster": cluster, "service": service, "desiredCount": new_count}))


def _keep_definition_properties(properties: Properties, arn: str) -> None:
    definition = ecs._task_defs[arn.rsplit("/", 1)[-1]]
    for name in ("RuntimePlatform", "EphemeralStorage"):
        if name in properties:
            definition[name[0].lower() + name[1:]] = api_names(properties[name])
    for container, container_template in zip(
        definition["containerDefinitions"], properties["ContainerDefinitions"], strict=True
    ):
        if "HealthCheck" in container_template:
            container["healthCheck"] = api_names(container_template["HealthCheck"])


def _keep_service_properties(properties: Properties, arn: str) -> None:
    cluster, service = arn.split("/")[-2:]
    record = ecs._services[f"{cluster}/{service}"]
    for name in (
        "AvailabilityZoneRebalancing",
        "EnableExecuteCommand",
        "HealthCheckGracePeriodSeconds",
        "PropagateTags",
        "SchedulingStrategy",
    ):
        if name in properties:
            record[name[0].lower() + name[1:]] = properties[name]
    record["enableECSManagedTags"] = properties.get("EnableECSManagedTags", False)
    record["placementStrategy"] = api_names(properties.get("PlacementStrategies", []))


def _add_instances(_properties: Properties, name: str) -> None:
    scaling_group = autoscaling._asgs[name]
    subnets = [
        ec2._subnets[subnet] for subnet in scaling_group["VPCZoneIdentifier"].split(",") if subnet in ec2._subnets
    ]
    scaling_group["AvailabilityZones"] = [subnet["AvailabilityZone"] for subnet in subnets] or scaling_group[
        "AvailabilityZones"
    ]
    autoscaling._reconcile_instances(scaling_group)
