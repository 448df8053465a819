"""What functions take when they are called, and what their schedules make of a month."""

import json
from collections.abc import Iterator

from tools.costs.capacity import Properties
from tools.costs.prices import HOURS, Part, UnpricedError
from tools.costs.reading import the_name
from tools.templates import Template

CHECK_SECONDS = 0.5
"""Of a check of web sites, an estimate: the function waits for the slowest of them."""
CHECK_LOG_GB = 2e-6
"""Lines of the log for one site."""


def of_schedule(template: Template, schedule: Properties) -> Iterator[Part]:
    """A month's runs of a schedule: they are the idle cost of what it starts."""
    runs = runs_a_month(schedule["ScheduleExpression"])
    target = schedule["Target"]
    target_of = template["Resources"].get(the_name(target["Arn"]) if "Fn::GetAtt" in target["Arn"] else "", {})
    yield Part("runs of the schedule", runs, "schedule-run")
    if target_of.get("Type") != "AWS::Lambda::Function":
        return
    yield from called(target_of["Properties"], runs, CHECK_SECONDS)
    sites = len(json.loads(target.get("Input", "{}")).get("urls", []))
    yield from stored(runs * sites)
    variables = target_of["Properties"].get("Environment", {}).get("Variables", {})
    names = [name for name in variables.get("METRICS", "").split(",") if name]
    yield Part("metrics", sites * len(names) * min(1, runs / HOURS), "metric")


def runs_a_month(expression: str) -> float:
    """How often a rate(...) or cron(...) fires, a cron(...) as if it did so every day. Raises UnpricedError."""
    kind, _, rest = expression.rstrip(")").partition("(")
    fields = rest.split(" ")
    if kind == "rate":
        return HOURS * 60 / (int(fields[0]) * {"minute": 1, "hour": 60, "day": 1440}[fields[1].rstrip("s")])
    if kind == "cron":
        return HOURS / 24 * _values(fields[0], 60) * _values(fields[1], 24)
    raise UnpricedError(f"{expression}: how often that is in a month is not known; add it to tools/costs/functions.py")


def _values(field: str, all_of_them: int) -> int:
    count = 0
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        ends = int(last) + 1 if last else all_of_them if step or first == "*" else int(first) + 1
        count += len(range(0 if first == "*" else int(first), ends, int(step or 1)))
    return count


def called(properties: Properties, times: float, seconds: float) -> Iterator[Part]:
    """So many calls of a function of that long each."""
    gigabytes = properties.get("MemorySize", 128) / 1024
    processor = properties.get("Architectures", ["x86_64"])[0]
    yield Part("Lambda, compute", times * seconds * gigabytes, f"lambda-{processor}")
    yield Part("Lambda, requests", times, "lambda-request")
    if properties.get("TracingConfig", {}).get("Mode") == "Active":
        yield Part("X-Ray, at most", times, "trace")


def stored(checks: float) -> Iterator[Part]:
    """The item and the lines of the log of so many checked sites."""
    yield Part("DynamoDB, write", checks, "dynamodb-write")
    yield Part("CloudWatch Logs", checks * CHECK_LOG_GB, "logs")
