"""What there is in the local AWS: to show that nothing is left."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local.aws import Engine, LocalAws

Listing = tuple[str, str, Callable[[Any], Iterable[str]]]


def _stacks(page: Any) -> Iterable[str]:
    return (found["StackName"] for found in page["StackSummaries"] if found["StackStatus"] != "DELETE_COMPLETE")


LISTINGS: Mapping[str, Listing] = {
    "stack": ("cloudformation", "list_stacks", _stacks),
    "bucket": ("s3", "list_buckets", lambda page: (found["Name"] for found in page["Buckets"])),
    "table": ("dynamodb", "list_tables", lambda page: page["TableNames"]),
    "function": ("lambda", "list_functions", lambda page: (found["FunctionName"] for found in page["Functions"])),
    "queue": ("sqs", "list_queues", lambda page: page.get("QueueUrls", [])),
    "topic": ("sns", "list_topics", lambda page: (found["TopicArn"] for found in page["Topics"])),
    "log group": ("logs", "describe_log_groups", lambda page: (found["logGroupName"] for found in page["logGroups"])),
    "alarm": (
        "cloudwatch",
        "describe_alarms",
        lambda page: (found["AlarmName"] for found in page["MetricAlarms"]),
    ),
    "role": ("iam", "list_roles", lambda page: (found["RoleName"] for found in page["Roles"])),
    "repository": ("ecr", "describe_repositories", lambda page: (r["repositoryName"] for r in page["repositories"])),
    "parameter": ("ssm", "describe_parameters", lambda page: (found["Name"] for found in page["Parameters"])),
}


def inventory(aws: LocalAws, engine: Engine) -> set[str]:
    """Every resource of a kind in LISTINGS, as `kind name`."""
    found = set()
    for kind, (service, operation, names) in LISTINGS.items():
        client = aws.client(service, engine)
        pages = client.get_paginator(operation).paginate()
        found |= {f"{kind} {name}" for page in pages for name in names(page)}
    return found
