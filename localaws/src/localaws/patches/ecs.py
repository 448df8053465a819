"""What CloudFormation lacks of ECS clusters: capacity providers, instances of groups, bounds of services."""

from typing import Any

from ministack.services import autoscaling, ec2, ecs

from localaws.patches.cloudformation import Properties, add_type, after, camel, name_of, succeeded
from localaws.patches.recorded import add_recorded


def add_cluster_types() -> None:
    """Capacity providers are those of the engine's ECS. Of scaling only the lower and upper bound has an effect."""
    add_type("AWS::ECS::CapacityProvider", _provide, _withdraw, _change_provider)
    add_type("AWS::ECS::ClusterCapacityProviderAssociations", _associate, _dissociate)
    target = "AWS::ApplicationAutoScaling::ScalableTarget"
    add_recorded(target, prefix="target-", attributes=("Id",))
    after(target, lambda properties, _: _keep_within(properties))
    add_recorded("AWS::ApplicationAutoScaling::ScalingPolicy", prefix="policy-", attributes=("Arn",))


def keep_what_task_definitions_say() -> None:
    """Keep those properties of task definitions and services that CloudFormation's own handlers drop."""
    after("AWS::ECS::TaskDefinition", _keep_platform)
    after("AWS::ECS::Service", _keep_choices)


def launch_instances_of_groups() -> None:
    """Record the instances of an Auto Scaling group that CloudFormation makes, in the zones of its subnets."""
    after("AWS::AutoScaling::AutoScalingGroup", _launch)


def instances_of(provider: str) -> list[Any]:
    """The instances that a capacity provider places tasks on."""
    group = ecs._capacity_providers[provider]["autoScalingGroupProvider"]["autoScalingGroupArn"]
    return list(autoscaling._asgs[group.rsplit("/", 1)[-1]]["Instances"])


def _provide(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
    name = name_of(properties, "Name", logical_id, stack)
    succeeded(ecs._create_capacity_provider({**camel(properties), "name": name}))
    return name, {}


def _change_provider(name: str, _old: Properties, new: Properties, _stack: str) -> tuple[str, Properties]:
    succeeded(ecs._update_capacity_provider({**camel(new), "name": name}))
    return name, {}


def _withdraw(name: str, _properties: Properties) -> None:
    ecs._delete_capacity_provider({"capacityProvider": name})


def _associate(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Properties]:
    succeeded(ecs._put_cluster_capacity_providers(camel(properties)))
    return str(properties["Cluster"]), {}


def _dissociate(cluster: str, _properties: Properties) -> None:
    if cluster in ecs._clusters:
        nothing: dict[str, Any] = {"capacityProviders": [], "defaultCapacityProviderStrategy": []}
        succeeded(ecs._put_cluster_capacity_providers({"cluster": cluster, **nothing}))


def _keep_within(properties: Properties) -> None:
    # As AWS does when a target is registered: what is outside the bounds is brought to the nearer one.
    kind, cluster, service = properties["ResourceId"].split("/")
    current = ecs._services[f"{cluster}/{service}"]["desiredCount"]
    wanted = min(max(current, int(properties["MinCapacity"])), int(properties["MaxCapacity"]))
    if kind == "service" and wanted != current:
        succeeded(ecs._update_service({"cluster": cluster, "service": service, "desiredCount": wanted}))


def _keep_platform(properties: Properties, arn: str) -> None:
    definition = ecs._task_defs[arn.rsplit("/", 1)[-1]]
    for name in ("RuntimePlatform", "EphemeralStorage"):
        if name in properties:
            definition[name[0].lower() + name[1:]] = camel(properties[name])
    for kept, said in zip(definition["containerDefinitions"], properties["ContainerDefinitions"], strict=True):
        if "HealthCheck" in said:
            kept["healthCheck"] = camel(said["HealthCheck"])


def _keep_choices(properties: Properties, arn: str) -> None:
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
    record["placementStrategy"] = camel(properties.get("PlacementStrategies", []))


def _launch(_properties: Properties, name: str) -> None:
    group = autoscaling._asgs[name]
    subnets = [ec2._subnets[subnet] for subnet in group["VPCZoneIdentifier"].split(",") if subnet in ec2._subnets]
    group["AvailabilityZones"] = [subnet["AvailabilityZone"] for subnet in subnets] or group["AvailabilityZones"]
    autoscaling._reconcile_instances(group)
