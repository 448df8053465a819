"""Lists the resources in the local AWS. With this list, `make local-down` checks that no resource is left."""

from collections.abc import Iterable, Mapping
from typing import Any

import jmespath

from localaws.aws import Engine, LocalAws

LISTINGS: Mapping[str, tuple[str, str, str]] = {
    "stack": ("cloudformation", "list_stacks", "StackSummaries[?StackStatus != 'DELETE_COMPLETE'].StackName"),
    "bucket": ("s3", "list_buckets", "Buckets[].Name"),
    "table": ("dynamodb", "list_tables", "TableNames"),
    "function": ("lambda", "list_functions", "Functions[].FunctionName"),
    "schedule": ("scheduler", "list_schedules", "Schedules[].Name"),
    "queue": ("sqs", "list_queues", "QueueUrls || `[]`"),
    "topic": ("sns", "list_topics", "Topics[].TopicArn"),
    "log group": ("logs", "describe_log_groups", "logGroups[].logGroupName"),
    "alarm": ("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName"),
    "dashboard": ("cloudwatch", "list_dashboards", "DashboardEntries[].DashboardName"),
    "API": ("apigateway", "get_rest_apis", "items[].name"),
    "API key": ("apigateway", "get_api_keys", "items[].name"),
    "usage plan": ("apigateway", "get_usage_plans", "items[].name"),
    "user pool": ("cognito-idp", "list_user_pools", "UserPools[].Name"),
    "delivery stream": ("firehose", "list_delivery_streams", "DeliveryStreamNames"),
    "role": ("iam", "list_roles", "Roles[].RoleName"),
    "repository": ("ecr", "describe_repositories", "repositories[].repositoryName"),
    "cluster": ("ecs", "list_clusters", "clusterArns"),
    "task definition": ("ecs", "list_task_definitions", "taskDefinitionArns"),
    "capacity provider": (
        "ecs",
        "describe_capacity_providers",
        "capacityProviders[?!starts_with(name, 'FARGATE')].name",
    ),
    "load balancer": ("elbv2", "describe_load_balancers", "LoadBalancers[].LoadBalancerName"),
    "target group": ("elbv2", "describe_target_groups", "TargetGroups[].TargetGroupName"),
    "VPC": (
        "ec2",
        "describe_vpcs",
        "Vpcs[?!IsDefault].join(' ', [[VpcId], (Tags || `[]`)[?Key == 'Name'].Value][])",
    ),
    "security group": ("ec2", "describe_security_groups", "SecurityGroups[?GroupName != 'default'].GroupName"),
    "launch template": ("ec2", "describe_launch_templates", "LaunchTemplates[].LaunchTemplateName"),
    "Auto Scaling group": (
        "autoscaling",
        "describe_auto_scaling_groups",
        "AutoScalingGroups[].AutoScalingGroupName",
    ),
    "compute environment": (
        "batch",
        "describe_compute_environments",
        "computeEnvironments[].computeEnvironmentName",
    ),
    "job queue": ("batch", "describe_job_queues", "jobQueues[].jobQueueName"),
    "parameter": ("ssm", "describe_parameters", "Parameters[].Name"),
}
"""For each kind of resource: the service, the operation that lists the resources, and a JMESPath for their names."""

REQUIRED_PARAMETERS: Mapping[str, Mapping[str, Any]] = {"list_user_pools": {"MaxResults": 60}}
"""The parameters without which an operation fails. 60 is the maximum for one page."""


def inventory(aws: LocalAws, engine: Engine) -> set[str]:
    """Return all resources of the kinds in LISTINGS as strings, such as `bucket uploads`: the kind and the name."""
    return {
        f"{kind} {name}"
        for kind, (service, operation, names) in LISTINGS.items()
        for page in _pages(aws.client(service, engine), operation)
        for name in jmespath.search(names, page)
    }


def _pages(client: Any, operation: str) -> Iterable[Any]:
    if client.can_paginate(operation):
        yield from client.get_paginator(operation).paginate(**REQUIRED_PARAMETERS.get(operation, {}))
    else:
        yield getattr(client, operation)()
