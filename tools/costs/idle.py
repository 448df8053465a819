"""The cost of a stack in a month in which nobody uses it."""

from collections.abc import Callable, Iterator, Mapping

from tools.costs.capacity import Properties, hourly_part, instance_parts, task_parts
from tools.costs.functions import schedule_parts
from tools.costs.prices import FREE_TYPES, HOURS, Part, UnpricedError
from tools.costs.reading import logical_id
from tools.templates import Template, resources

INSIGHTS_METRICS = 8 * 3 + 3 + 5
"""The number of metrics of Container Insights for a cluster with one service. The cluster, the service and the task
family have eight metrics each. The cluster has three more, and the service has five more.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-ECS.html"""
INSIGHTS_METRICS_OF_FARGATE = 2 * 3
"""The number of additional metrics on Fargate: used and total disk space, for cluster, service and task family."""
SNAPSHOTS_GB = 3
"""The estimated size of a Lightsail server's snapshots. Lightsail keeps seven snapshots. The first
stores the whole disk, and each later snapshot stores only the changes."""
IMAGE_GB = 0.05
"""The size of the image that a deployment puts into the registry."""
FUNCTION_IMAGE_GB = 0.08
"""The size of the function's image in the registry, compressed."""
POLLS_OF_EMPTY_QUEUE = 5 * 3 * 60 * HOURS
"""The estimated number of requests in a month with which Lambda polls an empty queue. Lambda begins with five requests
at once, and a request waits for 20 seconds at most.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"""
MINUTE = 60
"""The shortest period of an alarm at the standard price, in seconds."""


def parts(template: Template) -> list[Part]:
    """Return the bill of a month in which only the stack's own schedules run.

    A template does not say which metrics a function writes. The bill counts the metrics in the function's
    environment variable METRICS.
    Raises UnpricedError if a resource type, or a setting of a resource, has no known price.
    """
    found: list[Part] = []
    for name, resource in template["Resources"].items():
        kind = resource["Type"]
        if kind in BILLED:
            try:
                found += BILLED[kind](template, resource.get("Properties", {}))
            except KeyError as missing:
                message = f"{name}: tools/costs/idle.py needs the property {missing} to compute the price of {kind}."
                raise UnpricedError(message) from missing
        elif kind not in FREE_TYPES:
            raise UnpricedError(
                f"{name}: {kind} has no price. If AWS bills it by the hour or month, add a function to BILLED in "
                "tools/costs/idle.py, and the price to tools/costs/prices.toml. If it costs nothing without use, "
                "add the reason to [free] in tools/costs/prices.toml."
            )
    return [part for part in found if part.quantity]


def _alarm(_template: Template, alarm: Properties) -> Iterator[Part]:
    queried = [metric["MetricStat"] for metric in alarm.get("Metrics", []) if "MetricStat" in metric] or [alarm]
    if any(metric["Period"] < MINUTE for metric in queried):
        raise UnpricedError(
            "an alarm with a period below a minute has another price. Add the price to tools/costs/idle.py."
        )
    yield Part("alarms", len(queried), "alarm")


def _dashboard(_template: Template, _dashboard: Properties) -> Iterator[Part]:
    yield Part("dashboard", 1, "dashboard")


def _scaling_policy(_template: Template, policy: Properties) -> Iterator[Part]:
    if policy["PolicyType"] == "TargetTrackingScaling":
        yield Part("alarms: of scaling", 2, "alarm")  # one alarm adds tasks or instances, the other removes them


def _capacity_provider(_template: Template, provider: Properties) -> Iterator[Part]:
    if provider["AutoScalingGroupProvider"]["ManagedScaling"]["Status"] == "ENABLED":
        yield Part("alarms: of scaling", 2, "alarm")


def _cluster(template: Template, cluster: Properties) -> Iterator[Part]:
    task_definitions = resources(template, "AWS::ECS::TaskDefinition").values()
    fargate = any("FARGATE" in task["Properties"]["RequiresCompatibilities"] for task in task_definitions)
    for setting in cluster.get("ClusterSettings", []):
        if setting == {"Name": "containerInsights", "Value": "enabled"}:
            metrics = INSIGHTS_METRICS + (INSIGHTS_METRICS_OF_FARGATE if fargate else 0)
            yield Part("Container Insights, metrics", metrics, "metric")
        elif setting["Value"] != "disabled":
            raise UnpricedError(
                f"{setting['Name']}={setting['Value']} has no price. Add the price to tools/costs/idle.py."
            )


def _service(template: Template, service: Properties) -> Iterator[Part]:
    minimums = [
        target["Properties"]["MinCapacity"]
        for target in resources(template, "AWS::ApplicationAutoScaling::ScalableTarget").values()
        if target["Properties"]["ServiceNamespace"] == "ecs"
    ]
    yield from task_parts(template, service, service.get("DesiredCount", minimums[0] if minimums else 1))


def _auto_scaling_group(template: Template, group: Properties) -> Iterator[Part]:
    yield from instance_parts(template, group, int(group.get("DesiredCapacity") or group["MinSize"]))


def _load_balancer(_template: Template, balancer: Properties) -> Iterator[Part]:
    if balancer["Type"] != "application":
        raise UnpricedError(f"a {balancer['Type']} load balancer has no price. Add the price to tools/costs/idle.py.")
    yield hourly_part("load balancer", "load-balancer")
    if balancer["Scheme"] == "internet-facing":
        yield hourly_part("addresses of the load balancer", "address", len(balancer["Subnets"]))


def _endpoint(_template: Template, endpoint: Properties) -> Iterator[Part]:
    if endpoint.get("VpcEndpointType", "Gateway") != "Gateway":
        yield hourly_part("interface endpoint", "interface-endpoint", len(endpoint["SubnetIds"]))


def _compute_environment(_template: Template, environment: Properties) -> Iterator[Part]:
    if environment["ComputeResources"].get("MinvCpus", 0):
        raise UnpricedError(
            "a Batch environment with a minimum of vCPUs has no price. Add the price to tools/costs/idle.py."
        )
    yield from ()


def _table(_template: Template, table: Properties) -> Iterator[Part]:
    if table.get("BillingMode") != "PAY_PER_REQUEST":
        raise UnpricedError("a table's provisioned capacity has no price. Add the price to tools/costs/idle.py.")
    yield from ()


def _stage(_template: Template, stage: Properties) -> Iterator[Part]:
    if stage.get("CacheClusterEnabled"):
        raise UnpricedError("an API's cache has no price. Add the price to tools/costs/idle.py.")
    yield from ()


def _event_source(template: Template, mapping: Properties) -> Iterator[Part]:
    source = template["Resources"].get(logical_id(mapping["EventSourceArn"]), {})
    if source.get("Type") == "AWS::DynamoDB::Table":
        return  # Lambda reads a stream of DynamoDB for free: https://aws.amazon.com/dynamodb/pricing/on-demand/
    if source.get("Type") != "AWS::SQS::Queue" or "ProvisionedPollerConfig" in mapping:
        raise UnpricedError(
            "an event source that is neither a queue nor a stream of DynamoDB, and provisioned pollers, have no "
            "price. Add the price to tools/costs/idle.py."
        )
    yield Part("polling the queue", POLLS_OF_EMPTY_QUEUE, "sqs-request")


def _function(_template: Template, function: Properties) -> Iterator[Part]:
    # Invocations are billed. AWS stores a zip file for free, and an image in ECR.
    if function.get("PackageType") == "Image":
        yield Part("image in ECR", FUNCTION_IMAGE_GB, "ecr-storage")


def _version(_template: Template, version: Properties) -> Iterator[Part]:
    if "ProvisionedConcurrencyConfig" in version:
        raise UnpricedError("provisioned concurrency has no price. Add the price to tools/costs/idle.py.")
    yield from ()


def _repository(_template: Template, _repository: Properties) -> Iterator[Part]:
    yield Part("image", IMAGE_GB, "ecr-storage")


def _lightsail_server(_template: Template, server: Properties) -> Iterator[Part]:
    yield _lightsail_part("server", server["BundleId"])
    if any(add_on["AddOnType"] == "AutoSnapshot" for add_on in server.get("AddOns", [])):
        yield Part("snapshots", SNAPSHOTS_GB, "lightsail-snapshot")


def _lightsail_part(kind: str, bundle: str) -> Part:
    size = bundle.partition("_")[0]  # the other parts of the name differ between regions
    return Part(kind, 1, f"lightsail-{kind}-{size}")


def _static_address(_template: Template, address: Properties) -> Iterator[Part]:
    if "AttachedTo" not in address:
        yield hourly_part("address without a server", "address")


BILLED: Mapping[str, Callable[[Template, Properties], Iterator[Part]]] = {
    "AWS::ApiGateway::Stage": _stage,
    "AWS::ApplicationAutoScaling::ScalingPolicy": _scaling_policy,
    "AWS::AutoScaling::AutoScalingGroup": _auto_scaling_group,
    "AWS::Batch::ComputeEnvironment": _compute_environment,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::DynamoDB::Table": _table,
    "AWS::EC2::EIP": lambda _template, _address: iter([hourly_part("address of the NAT gateway", "address")]),
    "AWS::EC2::NatGateway": lambda _template, _gateway: iter([hourly_part("NAT gateway", "nat-gateway")]),
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::ECR::Repository": _repository,
    "AWS::ECS::CapacityProvider": _capacity_provider,
    "AWS::ECS::Cluster": _cluster,
    "AWS::ECS::Service": _service,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _load_balancer,
    "AWS::KMS::Key": lambda _template, _key: iter([Part("key of the logs", 1, "kms-key")]),
    "AWS::Lambda::EventSourceMapping": _event_source,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::Version": _version,
    "AWS::Lightsail::Alarm": lambda _template, _alarm: iter([]),
    "AWS::Lightsail::Bucket": lambda _template, bucket: iter([_lightsail_part("bucket", bucket["BundleId"])]),
    "AWS::Lightsail::Database": lambda _template, base: iter(
        [_lightsail_part("database", base["RelationalDatabaseBundleId"])]
    ),
    "AWS::Lightsail::Disk": lambda _template, disk: iter([Part("disk", disk["SizeInGb"], "lightsail-disk")]),
    "AWS::Lightsail::Instance": _lightsail_server,
    "AWS::Lightsail::StaticIp": _static_address,
    "AWS::Scheduler::Schedule": schedule_parts,
}
"""For each resource type, the function that returns the parts of a month's bill."""
