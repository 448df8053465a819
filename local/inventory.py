"""What there is in the local AWS: to show that nothing is left."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local.aws import Engine, LocalAws

Listing = tuple[str, str, Callable[[Any], Iterable[str]]]


def _stacks(page: Any) -> Iterable[str]:
    return (found["StackName"] for found in page["StackSummaries"] if found["StackStatus"] != "DELETE_COMPLETE")


def _named(found: Any, key: str) -> str:
    names = [tag["Value"] for tag in found.get("Tags", []) if tag["Key"] == "Name"]
    return f"{found[key]} {' '.join(names)}".rstrip()


LISTINGS: Mapping[str, Listing] = {
    "stack": ("cloudformation", "list_stacks", _stacks),
    "bucket": ("s3", "list_buckets", lambda page: (found["Name"] for found in page["Buckets"])),
    "table": ("dynamodb", "list_tables", lambda page: page["TableNames"]),
    "function": ("lambda", "list_functions", lambda page: (found["FunctionName"] for found in page["Functions"])),
    "schedule": ("scheduler", "list_schedules", lambda page: (found["Name"] for found in page["Schedules"])),
    "queue": ("sqs", "list_queues", lambda page: page.get("QueueUrls", [])),
    "topic": ("sns", "list_topics", lambda page: (found["TopicArn"] for found in page["Topics"])),
    "log group": ("logs", "describe_log_groups", lambda page: (found["logGroupName"] for found in page["logGroups"])),
    "alarm": (
        "cloudwatch",
        "describe_alarms",
        lambda page: (found["AlarmName"] for found in page["MetricAlarms"]),
    ),
    "dashboard": (
        "cloudwatch",
        "list_dashboards",
        lambda page: (found["DashboardName"] for found in page["DashboardEntries"]),
    ),
    "API": ("apigateway", "get_rest_apis", lambda page: (found["name"] for found in page["items"])),
    "API key": ("apigateway", "get_api_keys", lambda page: (found["name"] for found in page["items"])),
    "usage plan": ("apigateway", "get_usage_plans", lambda page: (found["name"] for found in page["items"])),
    "delivery stream": ("firehose", "list_delivery_streams", lambda page: page["DeliveryStreamNames"]),
    "role": ("iam", "list_roles", lambda page: (found["RoleName"] for found in page["Roles"])),
    "repository": ("ecr", "describe_repositories", lambda page: (r["repositoryName"] for r in page["repositories"])),
    "cluster": (
        "ecs",
        "list_clusters",
        lambda page: (arn for arn in page["clusterArns"]),
    ),
    "task definition": ("ecs", "list_task_definitions", lambda page: page["taskDefinitionArns"]),
    "capacity provider": (
        "ecs",
        "describe_capacity_providers",
        lambda page: (found["name"] for found in page["capacityProviders"] if not found["name"].startswith("FARGATE")),
    ),
    "load balancer": (
        "elbv2",
        "describe_load_balancers",
        lambda page: (found["LoadBalancerName"] for found in page["LoadBalancers"]),
    ),
    "target group": (
        "elbv2",
        "describe_target_groups",
        lambda page: (found["TargetGroupName"] for found in page["TargetGroups"]),
    ),
    "VPC": (
        "ec2",
        "describe_vpcs",
        lambda page: (_named(vpc, "VpcId") for vpc in page["Vpcs"] if not vpc["IsDefault"]),
    ),
    "security group": (
        "ec2",
        "describe_security_groups",
        lambda page: (found["GroupName"] for found in page["SecurityGroups"] if found["GroupName"] != "default"),
    ),
    "launch template": (
        "ec2",
        "describe_launch_templates",
        lambda page: (found["LaunchTemplateName"] for found in page["LaunchTemplates"]),
    ),
    "Auto Scaling group": (
        "autoscaling",
        "describe_auto_scaling_groups",
        lambda page: (found["AutoScalingGroupName"] for found in page["AutoScalingGroups"]),
    ),
    "compute environment": (
        "batch",
        "describe_compute_environments",
        lambda page: (found["computeEnvironmentName"] for found in page["computeEnvironments"]),
    ),
    "job queue": (
        "batch",
        "describe_job_queues",
        lambda page: (found["jobQueueName"] for found in page["jobQueues"]),
    ),
    "parameter": ("ssm", "describe_parameters", lambda page: (found["Name"] for found in page["Parameters"])),
}


def inventory(aws: LocalAws, engine: Engine) -> set[str]:
    """Every resource of a kind in LISTINGS, as `kind name`."""
    return {
        f"{kind} {name}"
        for kind, (service, operation, names) in LISTINGS.items()
        for page in _pages(aws.client(service, engine), operation)
        for name in names(page)
    }


def _pages(client: Any, operation: str) -> Iterable[Any]:
    if client.can_paginate(operation):
        yield from client.get_paginator(operation).paginate()
    else:
        yield getattr(client, operation)()
