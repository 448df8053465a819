"""The cost of each example's units of work: the parts that AWS bills in addition to the idle cost.

The durations and sizes in this file are estimates. The sizes of functions and machines come from the template.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from tools.costs.capacity import FARGATE_SPOT, Properties, instance_parts, machine_parts
from tools.costs.functions import CHECK_SECONDS, call_parts, check_result_parts
from tools.costs.prices import HOURS, Part
from tools.costs.reading import function_with_handler, image_function, logical_id
from tools.templates import Template, resources

THOUSAND, MILLION = 1_000, 1_000_000
THUMBNAIL_SECONDS = 0.3
"""The function's duration for a picture of 12 megapixels: 50 ms on a whole vCPU, and five calls to S3 and DynamoDB."""
THUMBNAIL_METRICS = 4
"""The number of metrics that the function writes."""
REQUEST_SECONDS = 0.020
"""The duration of a request to the API."""
ROOM = 10
"""The number of clients in a room of the board, which all get each message."""
HEARTBEAT_MINUTES = 4
"""The minutes after which a client without messages asks for new ones: HEARTBEAT in scripts/board.py."""
BOARD_METRICS = 3
"""The number of metrics that the broadcasting function writes."""
BOARD_SECONDS = 0.030
"""The duration of a call of a function of the board."""
COPY_SECONDS = 30
"""The time that the function needs to copy an image into the repository."""
DECODING_SECONDS = 0.050
"""The CPU time for a picture of 12 megapixels."""
START_AND_END_HOURS = 5 / 60
"""The time in which the instance of a child starts and ends. AWS bills this time, although the child does no work."""
CHILDREN = 2
"""The number of children of the Batch job. It is the default of scripts.submit."""
KEYS_PER_PAGE = 1_000
"""The number of keys in one answer to a list request."""
RANGES_PER_CHILD = 8
"""A child of the Batch job lists at least this number of ranges, as in containers/batch/batch/keys.py."""
RECORD_GB = 5 / MILLION
"""The size that AWS bills for one line of the access log in Firehose."""
BATCH_MACHINES = {"default_arm64": "c6g.large", "default_x86_64": "c6i.large"}
"""The instance type that Batch may choose for a child of two vCPUs. The keys are types in the compute environment."""
INSTANCE_MIB = {"t4g.micro": 900, "t3.micro": 900}
"""The memory for tasks on an instance of 1 GiB."""


@dataclass(frozen=True)
class Work:
    """A unit of work and its parts of the bill."""

    name: str
    parts: list[Part]


def units(stem: str, template: Template) -> list[Work]:
    """Return the units of work of an example, or an empty list for an example that UNITS does not have."""
    return list(UNITS[stem](template)) if stem in UNITS else []


def _thumbnail(template: Template) -> Iterator[Work]:
    yield from _thumbnails(function_with_handler(template, "thumbnail.handler.handler"))


def _function_image(template: Template) -> Iterator[Work]:
    yield from _thumbnails(image_function(template))


def _thumbnails(function: Properties) -> Iterator[Work]:
    parts = [
        *call_parts(function, THOUSAND, THUMBNAIL_SECONDS),
        Part("S3, 2 PUT and 1 LIST per thumbnail", 3 * THOUSAND, "s3-put"),
        Part("S3, 1 GET and 1 HEAD per thumbnail", 2 * THOUSAND, "s3-get"),
        Part("DynamoDB, write requests", THOUSAND, "dynamodb-write"),
        Part("CloudWatch Logs", 2 * THOUSAND / MILLION, "logs"),
    ]
    yield Work("1,000 thumbnails", parts)
    yield Work("metrics of 1 hour with uploads", [Part("metrics", THUMBNAIL_METRICS / HOURS, "metric")])


def _cron(template: Template) -> Iterator[Work]:
    calls = call_parts(function_with_handler(template, "cron.handler.handler"), THOUSAND, CHECK_SECONDS)
    yield Work(
        "1,000 checks of one site",
        [Part("Scheduler", THOUSAND, "schedule-run"), *calls, *check_result_parts(THOUSAND)],
    )


def _api(template: Template) -> Iterator[Work]:
    calls = list(call_parts(function_with_handler(template, "api.handler.handler"), MILLION, REQUEST_SECONDS))
    logs = [
        Part("access log", MILLION * RECORD_GB, "firehose"),
        Part("logs", 400 * MILLION / 1e9, "logs"),
        Part("access log, objects", HOURS * 60, "s3-put"),
    ]
    gateway = Part("API Gateway", MILLION, "api-request")
    yield Work("1,000,000 reads", [gateway, *calls, Part("DynamoDB", MILLION, "dynamodb-read"), *logs])
    users = Part("Cognito, plan Lite", THOUSAND, "cognito-lite")
    yield Work("1,000 people who sign in", [users])
    yield Work("1,000,000 creates", [gateway, *calls, Part("DynamoDB", 2 * MILLION, "dynamodb-write"), *logs])


def _websocket(template: Template) -> Iterator[Work]:
    def calls(module: str, count: float) -> Iterator[Part]:
        return call_parts(function_with_handler(template, f"websocket.{module}.handler"), count, BOARD_SECONDS)

    parts = [
        Part(f"API Gateway, 2 + {ROOM} per text", (2 + ROOM) * MILLION, "websocket-message"),
        *calls("handler", MILLION),
        *calls("broadcast", MILLION),
        # A transaction writes three items, and each costs two units. DynamoDB deletes expired items for free.
        Part("DynamoDB, write requests", 6 * MILLION, "dynamodb-write"),
        Part("DynamoDB, read requests", 2 * MILLION, "dynamodb-read"),
        Part("CloudWatch Logs", 2 * 400 * MILLION / 1e9, "logs"),
    ]
    yield Work(f"1,000,000 texts to {ROOM} clients", parts)
    connecting = [
        Part("API Gateway, minutes", THOUSAND * 60, "websocket-minute"),
        # Each client sends a heartbeat and gets an answer.
        Part("API Gateway, messages", THOUSAND * 2 * 60 / HEARTBEAT_MINUTES, "websocket-message"),
        *calls("tickets", THOUSAND),
        *calls("authorizer", THOUSAND),
        *calls("handler", THOUSAND * (2 + 60 / HEARTBEAT_MINUTES)),
        Part("DynamoDB, write requests", THOUSAND * (4 + 60 / HEARTBEAT_MINUTES), "dynamodb-write"),
    ]
    yield Work("1,000 client hours", connecting)
    yield Work("metrics of 1 hour with texts", [Part("metrics", BOARD_METRICS / HOURS, "metric")])


def _ecr(template: Template) -> Iterator[Work]:
    if resources(template, "Custom::Trigger"):  # with the setting publish_web_image
        copy_call = call_parts(function_with_handler(template, "ecr.handler.handler"), 1, COPY_SECONDS)
        yield Work("copying 1 image into ECR", list(copy_call))
    yield Work("storing 1 GB for a month", [Part("ECR", 1, "ecr-storage")])


def _ecs_ec2(template: Template) -> Iterator[Work]:
    (group,) = resources(template, "AWS::AutoScaling::AutoScalingGroup").values()
    (task,) = resources(template, "AWS::ECS::TaskDefinition").values()
    machine = list(instance_parts(template, group["Properties"], 1))
    memory = sum(container["Memory"] for container in task["Properties"]["ContainerDefinitions"])
    tasks_per_instance = INSTANCE_MIB[machine[0].price] // memory
    yield Work("1 instance hour", list(_cost_of_hours(1, machine)))
    yield Work(
        f"1 task hour, {tasks_per_instance} tasks per instance", list(_cost_of_hours(1 / tasks_per_instance, machine))
    )


def _fargate(template: Template) -> Iterator[Work]:
    (service,) = resources(template, "AWS::ECS::Service").values()
    (task,) = resources(template, "AWS::ECS::TaskDefinition").values()
    public = service["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "ENABLED"
    address = [Part("address", 1, "address")] if public else []
    processor = task["Properties"]["RuntimePlatform"]["CpuArchitecture"]
    for unit, share in (("1 task hour", 1), ("1 task hour on Spot", FARGATE_SPOT)):
        size = [
            Part("vCPU", int(task["Properties"]["Cpu"]) / 1024, f"fargate-cpu-{processor}", share),
            Part("memory", int(task["Properties"]["Memory"]) / 1024, f"fargate-gb-{processor}", share),
        ]
        yield Work(unit, [*size, *address])


def _batch(template: Template) -> Iterator[Work]:
    (job,) = resources(template, "AWS::Batch::JobDefinition").values()
    environment = {
        variable["Name"]: variable["Value"] for variable in job["Properties"]["ContainerProperties"]["Environment"]
    }
    working_hours = MILLION * DECODING_SECONDS / 3600 / int(environment["VCPUS"])
    requests = [
        Part("S3, 1 PUT per thumbnail", MILLION, "s3-put"),
        Part("S3, 1 GET per picture", MILLION, "s3-get"),
        Part("S3, LIST requests", list_requests(CHILDREN), "s3-put"),
    ]
    for kind, suffix in (("on Spot", "-spot"), ("on demand", "")):
        month = list(_machine(template, suffix))
        billed = _cost_of_hours(working_hours + CHILDREN * START_AND_END_HOURS, month)
        yield Work(f"1,000,000 thumbnails {kind}", [*billed, *requests])
        yield Work(f"1 instance hour {kind}", list(_cost_of_hours(1, month)))


def list_requests(children: int) -> float:
    """Return the number of LIST requests of a job for a million new pictures.

    One child lists all pictures. Then each child lists its ranges of both buckets, and each range is one page.
    """
    ranges = MILLION / KEYS_PER_PAGE
    return ranges + 2 * max(ranges, children * RANGES_PER_CHILD)


def _machine(template: Template, suffix: str) -> Iterator[Part]:
    """Yield the cost of one Batch instance for a month. `suffix` ends the name of the price: `-spot` or nothing."""
    environment = next(iter(resources(template, "AWS::Batch::ComputeEnvironment").values()))
    compute = environment["Properties"]["ComputeResources"]
    launch_template = template["Resources"][logical_id(compute["LaunchTemplate"]["LaunchTemplateId"])]["Properties"]
    instance_type = BATCH_MACHINES.get(compute["InstanceTypes"][0], compute["InstanceTypes"][0])
    return machine_parts(
        template, f"{instance_type}{suffix}", launch_template["LaunchTemplateData"], compute["Subnets"], 1
    )


def _lightsail(_template: Template) -> Iterator[Work]:
    yield Work("1 GB above the included transfer", [Part("transfer", 1, "traffic-out")])


def _cost_of_hours(hours: float, month: Iterable[Part]) -> Iterator[Part]:
    """Yield the cost of some hours of a resource. `month` has the cost of its whole month."""
    return (replace(part, quantity=part.quantity * hours / HOURS) for part in month)


UNITS: Mapping[str, Callable[[Template], Iterator[Work]]] = {
    "thumbnail": _thumbnail,
    "function_image": _function_image,
    "cron": _cron,
    "api": _api,
    "ecr": _ecr,
    "ecs_ec2": _ecs_ec2,
    "fargate": _fargate,
    "batch": _batch,
    "lightsail": _lightsail,
    "websocket": _websocket,
}
"""The function that yields the units of work of each example. An example without units of work needs no entry."""
