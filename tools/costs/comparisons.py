"""The tables of the lessons that compare the cost of an example with alternatives and with the worst case."""

from collections.abc import Callable, Mapping, Sequence

import config
from stacks import _web_service, api_gateway, batch_job, ecr, ecs_ec2, fargate, lightsail, lightsail_watch
from tools.costs import idle, work
from tools.costs.capacity import DETAILED_METRICS
from tools.costs.functions import call_parts
from tools.costs.prices import HOURS, PRICES, total
from tools.costs.reading import function_with_handler
from tools.costs.sums import Sums
from tools.templates import resources

MILLION = 1_000_000
CENT = 0.01
AUTHORIZER_SECONDS = 0.005
"""The estimated duration of a Lambda authorizer that verifies a token."""
BASELINE_VCPU = 0.2
"""The CPU that a t4g.micro may use all the time, without credits."""
TASKS_PER_INSTANCE = work.INSTANCE_MIB["t4g.micro"] // ecs_ec2.MEMORY_MIB
INSTANCES_FOR_MAX_TASKS = -(-_web_service.MAX_TASKS // TASKS_PER_INSTANCE)
"""The number of instances for the largest number of tasks."""
SPOT_TASKS = 7
"""The number of Spot tasks among ten: the first task is regular. Of every four other tasks, three are Spot tasks."""
Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""The head and the rows."""


def _monthly(price: str) -> float:
    """Return the dollars for a month of a resource that has this hourly price."""
    return PRICES[price].usd * HOURS


def _thumbnail(sums: Sums) -> Table:
    seconds = sums.quantity("thumbnail", "1,000 thumbnails", "Lambda, compute") / 1000
    free = round(PRICES["lambda-arm64"].free / seconds, -4)
    metrics = sums.work("thumbnail", "metrics of 1 hour with uploads")
    return ("", "amount"), [
        ("cost of the function's four metrics, for each hour with uploads", f"${metrics:.4f}"),
        ("cost of the function's four metrics, for a month with uploads in every hour", f"${HOURS * metrics:.2f}"),
        ("pictures in a month before you pay for compute time (the free tier)", f"{free:,.0f}"),
    ]


def _api(sums: Sums) -> Table:
    template = sums.sandbox["api"]
    methods = [method["Properties"] for method in resources(template, "AWS::ApiGateway::Method").values()]
    methods_with_metrics = [method for method in methods if method["HttpMethod"] != "OPTIONS"]
    keyless_count = sum(
        not method.get("ApiKeyRequired") and method["AuthorizationType"] == "NONE" for method in methods
    )
    calls_a_minute = 60 * api_gateway.KEYLESS_RATE
    metrics = 5 * PRICES["metric"].usd
    objects = sums.work("api", "1,000,000 reads", "access log, objects")
    request = (sums.work("api", "1,000,000 reads") - objects) / MILLION
    largest_note = 2 * 400 * PRICES["dynamodb-write"].usd  # 400 KB, in a transaction, which needs twice the units
    without_traces = 20 * (MILLION * request - sums.work("api", "1,000,000 reads", "X-Ray")) + objects
    servers = sums.idle("ecs_ec2", "load balancer", "addresses of the load balancer") + sums.instances(2)
    return ("", "cost"), [
        ("the metrics of one method for a month, if it is called in every hour", f"${metrics:.2f}"),
        (
            f"the metrics of all {len(methods_with_metrics)} methods for a month, if all are called in every hour",
            f"${len(methods_with_metrics) * metrics:.0f}",
        ),
        (
            f"a month of {calls_a_minute:.0f} calls a minute to each of the {keyless_count} methods without an API key",
            f"${keyless_count * calls_a_minute * 60 * HOURS * request:.0f}",
        ),
        (
            f"a day of requests with a stolen key: its quota of {api_gateway.KEY_QUOTA:,}, each with the largest note",
            f"${api_gateway.KEY_QUOTA * (largest_note + request):.0f}",
        ),
        ("20,000,000 requests, without the cost of traces", f"${without_traces:.0f}"),
        ("a month of a load balancer with two small servers", f"${servers:.0f}"),
    ]


def _api_access(sums: Sums) -> Table:
    """Return the price of each way to check callers, for a million requests of 1,000 and of 20,000 people."""
    template = sums.sandbox["api"]
    function = function_with_handler(template, "api.handler.handler")
    parts = call_parts(function, MILLION, AUTHORIZER_SECONDS)
    check = total(part for part in parts if not part.label.startswith("X-Ray"))

    def row(name: str, gateway: str, users: str | None = None, additional: float = 0) -> tuple[str, ...]:
        requests = MILLION * PRICES[gateway].usd + additional
        costs = [requests + (_users(users, people) if users else 0) for people in (1_000, 20_000)]
        return name, *(f"${cost:.2f}" for cost in costs)

    return ("", "1,000 people", "20,000 people"), [
        row("API key (version 1)", "api-request"),
        row("IAM signature (the export)", "api-request"),
        row("Cognito authorizer, plan Lite (version 2)", "api-request", "cognito-lite"),
        row("Cognito authorizer, plan Essentials", "api-request", "cognito-essentials"),
        row("Cognito authorizer, plan Plus", "api-request", "cognito-plus"),
        row("Lambda authorizer without a cache, without the price of users", "api-request", additional=check),
        row("JWT authorizer of an HTTP API, Cognito's plan Lite", "http-api-request", "cognito-lite"),
    ]


def _users(price: str, people: int) -> float:
    """Return the cost of a month in which this number of people sign in."""
    return max(0, people - PRICES[price].free) * PRICES[price].usd


def _ecr(_: Sums) -> Table:
    image = idle.IMAGE_GB * PRICES["ecr-storage"].usd
    size = f"{idle.IMAGE_GB * 1000:.0f} MB"
    return ("", "a month"), [
        (f"one image of {size} in the repository", f"${image:.3f}"),
        (f"{ecr.KEPT_IMAGES} such images that share no layers", f"${ecr.KEPT_IMAGES * image:.2f}"),
        ("the same image in the CDK's repository", f"${image:.3f}"),
    ]


def _ec2_or_fargate(sums: Sums) -> Table:
    max_tasks = _web_service.MAX_TASKS
    vcpus, gigabytes = fargate.CPU_UNITS / 1024, fargate.MEMORY_MIB / 1024
    instances = sums.instances(INSTANCES_FOR_MAX_TASKS)
    on_spot = sums.tasks(max_tasks, SPOT_TASKS)
    borrowed_cpu = (max_tasks * vcpus - INSTANCES_FOR_MAX_TASKS * BASELINE_VCPU) * _monthly("t4g-surplus")
    return ("a month of", "ECS on EC2", "Fargate"), [
        (
            "one task",
            f"${sums.instances(1):.2f}: one t4g.micro with disk and address",
            f"${sums.tasks(1):.2f}: {vcpus} vCPU, {gigabytes} GB and address",
        ),
        (
            f"{max_tasks} tasks",
            f"${instances:.2f}: {INSTANCES_FOR_MAX_TASKS} instances",
            f"${sums.tasks(max_tasks):.2f}, or ${on_spot:.2f} with {SPOT_TASKS} of them on Spot",
        ),
        (
            f"{max_tasks} tasks that are busy day and night",
            f"${instances + borrowed_cpu:.2f}: the instances borrow CPU, which is billed",
            "the same cost as in the row above",
        ),
    ]


def _batch(sums: Sums) -> Table:
    machine_parts = ("instances", "disks", "addresses")
    compute = sums.work("thumbnail", "1,000 thumbnails", "Lambda") * 1000
    instance_start = work.START_AND_END_HOURS * sums.work("batch", "1 instance hour on demand")
    pictures = round(instance_start / compute * MILLION, -2)
    return ("", "cost"), [
        ("computing time for 1,000,000 pictures, Lambda", f"${compute:.2f}"),
        *(
            (f"computing time for 1,000,000 pictures, Batch {kind}", f"${sums.work('batch', name, *machine_parts):.2f}")
            for kind, name in (
                ("on Spot instances", "1,000,000 thumbnails on Spot"),
                ("on on-demand instances", "1,000,000 thumbnails on demand"),
            )
        ),
        (
            f"starting and ending one on-demand instance (Lambda makes {pictures:,.0f} thumbnails for this price)",
            f"${instance_start:.4f}",
        ),
    ]


def _batch_limits(sums: Sums) -> Table:
    list_requests = PRICES["s3-put"].usd * work.list_requests(1_000)
    lambda_example = sums.work("thumbnail", "1,000 thumbnails") * 1000
    vcpus = config.sandbox().batch_max_vcpus
    machines = vcpus / batch_job.VCPUS
    return ("", "cost"), [
        ("1,000,000 thumbnails, made by the thumbnail example (Lambda)", f"${lambda_example:.2f}"),
        ("the LIST requests of 1,000 children for 1,000,000 pictures", f"${list_requests:.2f}"),
        (f"Spot instances with {vcpus} vCPUs for a month", f"${machines * _monthly('c6g.large-spot'):.0f}"),
        (f"on-demand instances with {vcpus} vCPUs for a month", f"${machines * _monthly('c6g.large'):.0f}"),
    ]


def _lightsail_settings(_: Sums) -> Table:
    server = PRICES["lightsail-server-nano"].usd
    additional_costs = {size: PRICES[f"lightsail-server-{size}"].usd - server for size in ("micro", "small")}
    return ("setting", "additional cost a month"), [
        *((f"`-c lightsail_bundle={size}_3_0`", f"${usd:.2f}") for size, usd in additional_costs.items()),
        ("`-c lightsail_disk=true`", f"${lightsail.DISK_GB * PRICES['lightsail-disk'].usd:.2f}"),
        ("`-c lightsail_bucket=true`", f"${PRICES['lightsail-bucket-small'].usd:.2f}"),
        ("`-c lightsail_database=postgres_16`", f"${PRICES['lightsail-database-micro'].usd:.2f}"),
    ]


def _lightsail(sums: Sums) -> Table:
    gb, disk = PRICES["gp3"].usd, lightsail.DISK_GB
    parts = (_monthly("t3.nano"), 20 * gb, _monthly("address"))
    database = (_monthly("db.t4g.micro"), 40 * PRICES["rds-gp3"].usd)
    terabyte = lightsail_watch.TRANSFER_GB["nano"]
    traffic = PRICES["traffic-out"]
    sent = (terabyte - traffic.free) * traffic.usd
    return ("Lightsail", "price a month", "counterpart outside Lightsail", "price a month"), [
        (
            "server with a disk of 20 GB, address and transfer",
            f"${PRICES['lightsail-server-nano'].usd:.2f}",
            "EC2 t3.nano ${:.2f}, EBS gp3 ${:.2f}, public IPv4 ${:.2f}".format(*parts),
            f"${sum(parts):.2f}",
        ),
        (
            f"{terabyte:,} GB sent",
            "included",
            f"the first {traffic.free} GB are free, then ${traffic.usd} for each GB",
            f"${sent:.0f}",
        ),
        (f"second disk, {disk} GB", f"${disk * PRICES['lightsail-disk'].usd:.2f}", "EBS gp3", f"${disk * gb:.2f}"),
        (
            "database with 1 GB of memory, a disk of 40 GB, 100 GB of transfer",
            f"${PRICES['lightsail-database-micro'].usd:.2f}",
            "RDS db.t4g.micro ${:.2f}, gp3 ${:.2f}".format(*database),
            f"${sum(database):.2f}",
        ),
        (
            "load balancer (not deployed)",
            f"${PRICES['lightsail-load-balancer'].usd:.2f}",
            "ELB: an Application Load Balancer costs at least",
            f"${sums.idle('fargate', 'load balancer'):.2f}",
        ),
        ("DNS, six zones (not deployed)", "$0.00", "Route 53, six zones", f"${6 * PRICES['hosted-zone'].usd:.2f}"),
    ]


def _decisions(sums: Sums) -> Table:
    serverless = ("thumbnail", "cron", "api")
    sandbox = sum(sums.idle(stem) for stem in serverless)
    watch_closely = sum(sums.idle(stem, profile="production") for stem in serverless) - sandbox
    methods = resources(sums.sandbox["api"], "AWS::ApiGateway::Method").values()
    options_methods = sum(method["Properties"]["HttpMethod"] == "OPTIONS" for method in methods)
    request = PRICES["api-request"].usd + work.RECORD_GB * PRICES["firehose"].usd
    flood_cost = options_methods * api_gateway.STAGE_RATE * 3600 * HOURS * request
    return ("", "a month"), [
        *(
            (f"Container Insights for {stem}", f"${sums.idle(stem, 'Container', profile='production'):.2f}")
            for stem in ("ecs_ec2", "fargate")
        ),
        ("a public address", f"${_monthly('address'):.2f}"),
        ("a NAT gateway with its address", f"${_monthly('nat-gateway') + _monthly('address'):.2f}"),
        ("thumbnail, cron and api without `watch_closely`", f"${sandbox:.2f}"),
        ("additional cost of these three with `watch_closely`", f"${watch_closely:.2f}"),
        (
            "OPTIONS requests by strangers, if only the rate limit of the whole stage applied to them",
            f"${round(flood_cost, -2):,.0f}",
        ),
    ]


def _organization_rules(sums: Sums) -> Table:
    stacks_with_logs = sum(bool(resources(template, "AWS::Logs::LogGroup")) for template in sums.sandbox.values())
    (group,) = resources(sums.sandbox["ecs_ec2"], "AWS::AutoScaling::AutoScalingGroup").values()
    keys = stacks_with_logs * PRICES["kms-key"].usd
    metrics = int(group["Properties"]["MinSize"]) * DETAILED_METRICS * PRICES["metric"].usd
    return ("", "additional cost a month, without data"), [
        (f"a key in KMS for each of the {stacks_with_logs} stacks with logs", f"${keys:.2f}"),
        ("detailed monitoring of the two instances of ecs_ec2", f"${metrics:.2f}"),
        ("all stacks together", f"${keys + metrics:.2f}"),
    ]


TABLES: Mapping[str, Callable[[Sums], Table]] = {
    "api": _api,
    "api_access": _api_access,
    "batch": _batch,
    "batch_limits": _batch_limits,
    "decisions": _decisions,
    "ec2_or_fargate": _ec2_or_fargate,
    "ecr": _ecr,
    "lightsail": _lightsail,
    "lightsail_settings": _lightsail_settings,
    "organization_rules": _organization_rules,
    "thumbnail": _thumbnail,
}
