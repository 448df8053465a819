"""The small VPC of a container example. Each example has its own, so that no stack depends on another."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs

ZONES = 2
"""A load balancer needs two Availability Zones. One of them may fail."""


def small_vpc(stack: Stack, *, private: bool, log_retention: logs.RetentionDays) -> ec2.Vpc:
    """Return a VPC in two zones that logs the packets which its security groups reject.

    Without `private`, everything runs in public subnets with public addresses, $3.65 a month each. With `private`,
    tasks and instances run in private subnets behind one NAT gateway, $32.85 a month and its address.

    When the NAT gateway's zone fails, the tasks in the other zone still answer, because incoming requests do not pass
    the gateway. But they cannot write logs, and no new task can start. A gateway in each zone would avoid that. For
    three examples it would need more Elastic IP addresses than the five that an account has.
    https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
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
        max_azs=ZONES,
        nat_gateways=int(private),
        subnet_configuration=[public_subnet, private_subnet] if private else [public_subnet],
        # Image layers come from S3. This endpoint is free, while the NAT gateway bills each gigabyte.
        gateway_endpoints={"S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)},
        # CDK would remove the default security group's rules with a Lambda function and a role. Nothing uses that
        # group, because each network interface has a security group of its own.
        restrict_default_security_group=False,
    )
    vpc.add_flow_log(
        "Refused",
        # The load balancer's metrics and the tasks' logs show the accepted packets.
        traffic_type=ec2.FlowLogTrafficType.REJECT,
        destination=ec2.FlowLogDestination.to_cloud_watch_logs(
            logs.LogGroup(stack, "RefusedLogs", retention=log_retention, removal_policy=RemovalPolicy.DESTROY)
        ),
    )
    return vpc


def serving_subnets(vpc: ec2.Vpc) -> list[ec2.ISubnet]:
    """The subnets of tasks and instances: the private ones if the VPC has any, else the public ones."""
    return vpc.private_subnets or vpc.public_subnets
