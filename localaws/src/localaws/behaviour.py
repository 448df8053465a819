"""Which resources of a template run in the local AWS, and which ones it only stores.

localaws/README.md has a table of the same facts by service.
"""

from collections.abc import Iterable, Mapping

STORED: Mapping[str, str] = {
    "AWS::ApplicationAutoScaling::ScalingPolicy": "rules for scaling",
    "AWS::Batch::": "Batch job queues, job definitions and compute environments",
    "AWS::Budgets::": "budgets",
    "AWS::CloudWatch::Dashboard": "dashboards",
    "AWS::EC2::EIP": "addresses",
    "AWS::EC2::FlowLog": "flow logs",
    "AWS::EC2::LaunchTemplate": "instances",
    "AWS::EC2::NatGateway": "NAT gateways",
    "AWS::EC2::VPCEndpoint": "VPC endpoints",
    "AWS::EC2::": "networks, routes and security groups",
    "AWS::KinesisFirehose::": "delivery of access logs",
    "AWS::Lightsail::": "Lightsail servers, addresses and alarms",
    "AWS::AutoScaling::AutoScalingGroup": "instances",
}
"""What the local AWS only stores, by the beginning of the type's name. The longest beginning counts."""

RUNNING: Mapping[str, str] = {
    "AWS::ApiGateway::": "the API with its keys, limits and validation",
    "AWS::ApiGatewayV2::": "the WebSocket API with its authorizer",
    "AWS::ApplicationAutoScaling::ScalableTarget": "minimum and maximum number of tasks",
    "AWS::CloudWatch::Alarm": "alarms",
    "AWS::Cognito::": "users and their sign-in",
    "AWS::DynamoDB::": "tables",
    "AWS::ECR::": "the registry",
    "AWS::ECS::": "containers and their replacement",
    "AWS::ElasticLoadBalancingV2::": "the load balancer with its health checks",
    "AWS::Events::": "rules for events",
    "AWS::IAM::": "permissions of roles",
    "AWS::Lambda::": "functions",
    "AWS::Logs::": "logs",
    "AWS::S3::": "buckets",
    "AWS::SNS::": "topics",
    "AWS::SQS::": "SQS queues",
    "AWS::Scheduler::": "schedules",
    "Custom::": "functions that CloudFormation calls during a deployment",
}
"""What runs in the local AWS, by the beginning of the type's name."""


def running_and_stored(types: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return what runs and what is only stored of the resources of these types, as two lists of plain descriptions.

    A type without an entry is in neither list.
    """
    running: set[str] = set()
    stored: set[str] = set()
    for kind in types:
        beginning = max((name for name in (*STORED, *RUNNING) if kind.startswith(name)), key=len, default="")
        if beginning in STORED:
            stored.add(STORED[beginning])
        elif beginning in RUNNING:
            running.add(RUNNING[beginning])
    return sorted(running), sorted(stored)
