"""The web service on Fargate: containers without instances, behind a load balancer."""

from typing import Any

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from stacks._alarms import alarm_topic, notify
from stacks._cdk_helpers import add_helper_log_groups
from stacks._network import serving_subnets, small_vpc
from stacks._web import (
    ROLLING,
    add_web_container,
    cluster,
    listen,
    load_balancer,
    scale,
    service_url,
    target_group,
    web_alarms,
    web_image,
)

CPU = {"arm64": ecs.CpuArchitecture.ARM64, "x86_64": ecs.CpuArchitecture.X86_64}
CPU_UNITS = 256
"""A quarter of a vCPU, the least there is. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html"""
MEMORY_MIB = 512
"""The least that goes with it; the server takes 30."""


class FargateStack(Stack):
    """VPC -> load balancer -> service of tasks on Fargate and Fargate Spot, which scales by itself."""

    def __init__(  # noqa: PLR0913 - every choice of the example, by name
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        architecture: str,
        container_insights: bool,
        image: str | None = None,
        certificate_arn: str | None = None,
        alarm_email: str | None = None,
        **stack: Any,
    ) -> None:
        super().__init__(scope, id, **stack)

        vpc = small_vpc(self, private=retain_data, log_retention=log_retention)
        ecs_cluster = cluster(self, vpc, container_insights=container_insights)
        log_group = logs.LogGroup(
            self,
            "Logs",
            retention=log_retention,
            removal_policy=RemovalPolicy.RETAIN if retain_data else RemovalPolicy.DESTROY,
        )
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=CPU_UNITS,
            memory_limit_mib=MEMORY_MIB,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=CPU[architecture], operating_system_family=ecs.OperatingSystemFamily.LINUX
            ),
        )
        add_web_container(task, web_image(self, image, architecture), log_group)
        balancer = load_balancer(self, vpc, retain_data=retain_data)
        capacity = self._capacity(ecs_cluster, after=balancer)
        service = self._service(vpc, ecs_cluster, task, private=retain_data)
        # Or the capacity providers would be taken from the cluster while the service still uses them, and no
        # deletion of the stack would come to its end.
        service.node.add_dependency(capacity)

        targets = target_group(vpc, service)
        listen(balancer, targets, certificate_arn)
        scale(service, targets)
        alarms = web_alarms(self, balancer, targets, service, lesson="fargate")
        notify(alarms, alarm_topic(self, alarm_email))
        add_helper_log_groups(self, retention=log_retention)

        CfnOutput(self, "ServiceUrl", value=service_url(balancer, certificate_arn))
        CfnOutput(self, "ClusterName", value=ecs_cluster.cluster_name)
        CfnOutput(self, "ServiceName", value=service.service_name)

    def _capacity(self, cluster: ecs.Cluster, *, after: IConstruct) -> ecs.CfnClusterCapacityProviderAssociations:
        capacity = ecs.CfnClusterCapacityProviderAssociations(
            self,
            "Capacity",
            cluster=cluster.cluster_name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
            default_capacity_provider_strategy=[],
        )
        # CDK would do it as soon as there is a cluster. In an account's first, ECS has just made its role then, and
        # fails with "Unable to assume the service linked role". The service waits for the load balancer anyway.
        capacity.node.add_dependency(after)
        return capacity

    def _service(
        self, vpc: ec2.Vpc, cluster: ecs.Cluster, task: ecs.FargateTaskDefinition, *, private: bool
    ) -> ecs.FargateService:
        subnets = serving_subnets(vpc)
        service = ecs.FargateService(
            self,
            "Service",
            cluster=cluster,
            task_definition=task,
            capacity_provider_strategies=[
                # One task that AWS does not take back; of the others three in four at a third of the price.
                ecs.CapacityProviderStrategy(capacity_provider="FARGATE", base=1, weight=1),
                ecs.CapacityProviderStrategy(capacity_provider="FARGATE_SPOT", weight=3),
            ],
            vpc_subnets=ec2.SubnetSelection(subnets=subnets),
            assign_public_ip=not private,  # the way to the registry without a NAT gateway; nothing may come in by it
            security_groups=[ec2.SecurityGroup(self, "TasksGroup", vpc=vpc, description="The tasks")],
            **ROLLING,
        )
        # A task pulls as soon as it starts.
        service.node.add_dependency(task.obtain_execution_role())
        service.node.add_dependency(*(subnet.internet_connectivity_established for subnet in subnets))
        return service
