"""The small VPC of a container example. Each example has its own VPC, so that no stack depends on another stack."""

from collections.abc import Sequence

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs

from stacks._nag import acknowledge

ZONES = 2
"""Number of Availability Zones. A load balancer needs two. If one zone fails, the example continues in the other zone.
"""


def example_vpc(
    stack: Stack,
    *,
    existing_vpc: str | None,
    private: bool,
    availability_zones: Sequence[str],
    log_retention: logs.RetentionDays,
) -> ec2.IVpc:
    """Return the VPC of an example: a small VPC of its own, or a VPC that exists already.

    `existing_vpc` is a text of two or three parts, with `/` between them: the id of the VPC, its public subnets, and
    perhaps its private subnets. Each subnet is `<zone>:<id>`. This text contains all ids, so synthesis needs no AWS
    account.
    """
    if existing_vpc is None:
        return _small_vpc(stack, private=private, availability_zones=availability_zones, log_retention=log_retention)
    vpc_id, public, *private_subnets = existing_vpc.split("/")
    zones, public_ids = zip(*(subnet.split(":") for subnet in public.split(",")), strict=True)
    private_ids = [subnet.split(":")[1] for subnets in private_subnets for subnet in subnets.split(",")]
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id=vpc_id,
        availability_zones=list(zones),
        public_subnet_ids=list(public_ids),
        private_subnet_ids=private_ids or None,
    )
    for subnet in (*vpc.public_subnets, *vpc.private_subnets):
        acknowledge(
            subnet,
            "Annotation::@aws-cdk/aws-ec2:noSubnetRouteTableId",
            "The stack adds no route to an existing VPC, so it does not need the route tables.",
        )
    return vpc


def serving_subnets(vpc: ec2.IVpc) -> list[ec2.ISubnet]:
    """Return the subnets for tasks and instances: the private subnets, or the public ones if no subnet is private."""
    return vpc.private_subnets or vpc.public_subnets


def _small_vpc(
    stack: Stack, *, private: bool, availability_zones: Sequence[str], log_retention: logs.RetentionDays
) -> ec2.Vpc:
    """Return a VPC in two zones. It logs the packets that its security groups reject.

    `availability_zones` has the names of both zones. If it is empty, CloudFormation uses the region's first two zones.

    Without `private`, everything runs in public subnets with public addresses. Each address costs $3.65 a month. With
    `private`, tasks and instances run in private subnets behind one NAT gateway. The gateway costs $32.85 a month, and
    its address $3.65.

    When the NAT gateway's zone fails, the tasks in the other zone still answer, because incoming requests do not pass
    the gateway. But these tasks cannot write logs, and no new task can start. A gateway in each zone would avoid this
    problem. But three examples would then need six Elastic IP addresses, and an account has only five. A regional NAT
    gateway works in all zones, but costs more than one gateway.
    https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateways-regional.html
    """
    public_subnet = ec2.SubnetConfiguration(
        name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24, map_public_ip_on_launch=not private
    )
    private_subnet = ec2.SubnetConfiguration(
        name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=20
    )
    vpc = ec2.Vpc(
        stack,
        "Vpc",
        **({"availability_zones": [*availability_zones]} if availability_zones else {"max_azs": ZONES}),
        nat_gateways=int(private),
        subnet_configuration=[public_subnet, private_subnet] if private else [public_subnet],
        # ECR stores the layers of images in S3. This endpoint is free, but a NAT gateway bills each gigabyte.
        gateway_endpoints={"S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)},
        # With True, CDK would add a Lambda function and a role, which remove the rules of the VPC's default security
        # group. This is not necessary, because every network interface here has another security group.
        restrict_default_security_group=False,
    )
    vpc.add_flow_log(
        "Refused",
        # Accepted packets are not logged, because the load balancer's metrics and the tasks' logs show the requests.
        traffic_type=ec2.FlowLogTrafficType.REJECT,
        destination=ec2.FlowLogDestination.to_cloud_watch_logs(
            logs.LogGroup(stack, "RefusedLogs", retention=log_retention, removal_policy=RemovalPolicy.DESTROY)
        ),
    )
    return vpc
