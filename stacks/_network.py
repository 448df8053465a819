"""The small network that each container example owns, so that none depends on another's."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs

ZONES = 2
"""As many as a load balancer asks for; one may fail."""


def small_vpc(stack: Stack, *, private: bool, log_retention: logs.RetentionDays) -> ec2.Vpc:
    """A VPC of two zones, with a record of the packets that its security groups refused.

    Not `private`: all are in public subnets with public addresses, $3.65 a month each. `private`: what serves is in
    private subnets, behind one NAT gateway, $36.50 a month with its address. When its zone fails, tasks in the other
    go on answering, for what comes in does not pass it, but neither log nor start anew. One in each zone for three
    examples would take more Elastic IP addresses than the five that an account has.
    https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
    """
    public = ec2.SubnetConfiguration(
        name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24, map_public_ip_on_launch=not private
    )
    inside = ec2.SubnetConfiguration(name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=20)
    vpc = ec2.Vpc(
        stack,
        "Vpc",
        max_azs=ZONES,
        nat_gateways=int(private),
        subnet_configuration=[public, inside] if private else [public],
        # Image layers come from S3: this way past the NAT gateway, which bills each gigabyte, costs nothing.
        gateway_endpoints={"S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)},
        # CDK would empty it by a function with a role. Nothing is ever in it: each interface names a group of its own.
        restrict_default_security_group=False,
    )
    vpc.add_flow_log(
        "Refused",
        traffic_type=ec2.FlowLogTrafficType.REJECT,  # what passes is in the load balancer's metrics and the tasks' logs
        destination=ec2.FlowLogDestination.to_cloud_watch_logs(
            logs.LogGroup(stack, "RefusedLogs", retention=log_retention, removal_policy=RemovalPolicy.DESTROY)
        ),
    )
    return vpc


def serving_subnets(vpc: ec2.Vpc) -> list[ec2.ISubnet]:
    """Where that VPC has its tasks and instances."""
    return vpc.private_subnets or vpc.public_subnets
