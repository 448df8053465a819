"""The parts of a bill for functions and schedules."""

import json
from collections.abc import Iterator

from tools.costs.capacity import Properties
from tools.costs.prices import HOURS, Part, UnpricedError
from tools.costs.reading import logical_id
from tools.templates import Template

CHECK_SECONDS = 0.5
"""The estimated duration of a run of the cron function, which waits for the slowest site."""
CHECK_LOG_GB = 2e-6
"""The size of the log lines for one site."""


def schedule_parts(template: Template, properties: Properties) -> Iterator[Part]:
    """Yield the cost of a schedule's runs in a month, including the calls of the function that the schedule invokes."""
    runs = runs_a_month(properties["ScheduleExpression"])
    target = properties["Target"]
    function = template["Resources"].get(logical_id(target["Arn"]) if "Fn::GetAtt" in target["Arn"] else "", {})
    yield Part("runs of the schedule", runs, "schedule-run")
    if function.get("Type") != "AWS::Lambda::Function":
        return
    yield from call_parts(function["Properties"], runs, CHECK_SECONDS)
    sites = len(json.loads(target.get("Input", "{}")).get("urls", []))
    yield from check_result_parts(runs * sites)
    variables = function["Properties"].get("Environment", {}).get("Variables", {})
    metrics = [name for name in variables.get("METRICS", "").split(",") if name]
    yield Part("metrics", sites * len(metrics) * min(1, runs / HOURS), "metric")


def runs_a_month(expression: str) -> float:
    """Return the number of runs of a rate(...) or cron(...) in a month. A cron(...) counts as if it ran on every day.

    Raises UnpricedError for another expression.
    """
    kind, _, rest = expression.rstrip(")").partition("(")
    fields = rest.split(" ")
    if kind == "rate":
        return HOURS * 60 / (int(fields[0]) * {"minute": 1, "hour": 60, "day": 1440}[fields[1].rstrip("s")])
    if kind == "cron":
        return HOURS / 24 * _values(fields[0], 60) * _values(fields[1], 24)
    raise UnpricedError(
        f"{expression}: tools/costs/functions.py cannot count the runs of such an expression. Add it there."
    )


def _values(field: str, possible: int) -> int:
    """Return how many values a field of a cron(...) matches."""
    count = 0
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        end = int(last) + 1 if last else possible if step or first == "*" else int(first) + 1
        count += len(range(0 if first == "*" else int(first), end, int(step or 1)))
    return count


def call_parts(function: Properties, count: float, seconds: float) -> Iterator[Part]:
    """Yield the cost of `count` calls of a function. Each call takes this many seconds."""
    gigabytes = function.get("MemorySize", 128) / 1024
    processor = function.get("Architectures", ["x86_64"])[0]
    yield Part("Lambda, compute", count * seconds * gigabytes, f"lambda-{processor}")
    yield Part("Lambda, requests", count, "lambda-request")
    if function.get("TracingConfig", {}).get("Mode") == "Active":
        yield Part("X-Ray traces, at most", count, "trace")


def check_result_parts(checks: float) -> Iterator[Part]:
    """Yield the cost of the table items and log lines for this number of checks of one site."""
    yield Part("DynamoDB, write requests", checks, "dynamodb-write")
    yield Part("CloudWatch Logs", checks * CHECK_LOG_GB, "logs")
