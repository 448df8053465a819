"""Patches of ECS clusters and services in CloudFormation. The patches of running tasks are in ecs_tasks.py."""

from typing import Any

from ministack.services import autoscaling, ec2, ecs

from localaws.patches.cloudformation import (
    Properties,
    add_type,
    api_names,
    call_after_provisioning,
    record_type,
    require_success,
    resource_name,
)


def add_cluster_types() -> None:
    """Add capacity providers and automatic scaling to CloudFormation.

    Stock engine: has capacity providers in its ECS API, and rejects a template with these types.
    AWS: creates them. Here only the minimum and maximum of a scalable target take effect.
    Upstream issue: none known.
    """
    add_type("AWS::ECS::CapacityProvider", _create_provider, _delete_provider, _update_provider)
    add_type("AWS::ECS::ClusterCapacityProviderAssociations", _associate, _dissociate)
    target = "AWS::ApplicationAutoScaling::ScalableTarget"
    record_type(target, prefix="target-", attributes=("Id",))
    call_after_provisioning(target, lambda properties, _: _apply_capacity_bounds(properties))
    record_type("AWS::ApplicationAutoScaling::ScalingPolicy", prefix="policy-", attributes=("Arn",))


def keep_task_definition_properties() -> None:
    """Keep properties of task definitions and services that a template sets.

    Stock engine: CloudFormation drops some, such as RuntimePlatform, HealthCheck and PlacementStrategies.
    AWS: keeps all of them, and describes them.
    Upstream issue: none known.
    """
    call_after_provisioning("AWS::ECS::TaskDefinition", _keep_definition_properties)
    call_after_provisioning("AWS::ECS::Service", _keep_service_properties)


def record_group_instances() -> None:
    """Record the instances of an Auto Scaling group that CloudFormation creates, in the zones of its subnets.

    Stock engine: records the group without instances, and with one zone.
    AWS: starts the instances. No machine runs here.
    Upstream issue: none known.
    """
    call_after_provisioning("AWS::AutoScaling::AutoScalingGroup", _record_instances)


def provider_instances(provider: str) -> list[Any]:
    """Return the instances on which a capacity provider places tasks."""
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
    # As on AWS, registering a target moves a count outside the bounds to the nearer bound.
    kind, cluster, service = properties["ResourceId"].split("/")
    current = ecs._services[f"{cluster}/{service}"]["desiredCount"]
    wanted = min(max(current, int(properties["MinCapacity"])), int(properties["MaxCapacity"]))
    if kind == "service" and wanted != current:
        require_success(ecs._update_service({"cluster": cluster, "service": service, "desiredCount": wanted}))


def _keep_definition_properties(properties: Properties, arn: str) -> None:
    definition = ecs._task_defs[arn.rsplit("/", 1)[-1]]
    for name in ("RuntimePlatform", "EphemeralStorage"):
        if name in properties:
            definition[name[0].lower() + name[1:]] = api_names(properties[name])
    for container, given in zip(definition["containerDefinitions"], properties["ContainerDefinitions"], strict=True):
        if "HealthCheck" in given:
            container["healthCheck"] = api_names(given["HealthCheck"])


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


def _record_instances(_properties: Properties, name: str) -> None:
    group = autoscaling._asgs[name]
    subnets = [ec2._subnets[subnet] for subnet in group["VPCZoneIdentifier"].split(",") if subnet in ec2._subnets]
    group["AvailabilityZones"] = [subnet["AvailabilityZone"] for subnet in subnets] or group["AvailabilityZones"]
    autoscaling._reconcile_instances(group)
