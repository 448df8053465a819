"""The web service on Fargate: containers without instances, behind a load balancer."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from stacks._cdk_helpers import add_helper_log_groups
from stacks._network import example_vpc, serving_subnets
from stacks._web import expose_service
from stacks._web_balancer import load_balancer
from stacks._web_image import web_image
from stacks._web_service import ROLLING_UPDATE, add_web_container, web_cluster

CPU_ARCHITECTURES = {"arm64": ecs.CpuArchitecture.ARM64, "x86_64": ecs.CpuArchitecture.X86_64}
CPU_UNITS = 256
"""CPU units of each task: a quarter of a vCPU, which is the smallest size on Fargate.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html"""
MEMORY_MIB = 512
"""Memory of each task, in MiB: the smallest memory for this CPU size. The server needs 30 MiB."""


class FargateStack(Stack):
    """A load balancer, and tasks on Fargate and Fargate Spot, in a VPC. The number of tasks follows the load."""

    def __init__(  # noqa: PLR0913 - each setting is a keyword argument
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK uses this name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        architecture: str,
        availability_zones: Sequence[str] = (),
        existing_vpc: str | None = None,
        container_insights: bool,
        image: str | None = None,
        certificate_arn: str | None = None,
        alarm_email: str | None = None,
        **stack_parameters: Any,
    ) -> None:
        description = "Fargate: the same web service in containers without instances, behind a load balancer"
        super().__init__(scope, id, description=description, **stack_parameters)

        vpc = example_vpc(
            self,
            existing_vpc=existing_vpc,
            private=retain_data,  # only production pays for a NAT gateway
            availability_zones=availability_zones,
            log_retention=log_retention,
        )
        cluster = web_cluster(self, vpc, container_insights=container_insights)
        balancer = load_balancer(self, vpc, retain_data=retain_data)
        capacity = self._capacity(cluster, after=balancer)
        task = self._task(architecture)
        container_image = web_image(self, image, architecture)
        add_web_container(
            task, container_image, retain_logs=retain_data, log_retention=log_retention, memory_mib=MEMORY_MIB
        )
        service = self._service(vpc, cluster, capacity, task, private=bool(vpc.private_subnets))
        expose_service(balancer, service, stem="fargate", certificate_arn=certificate_arn, alarm_email=alarm_email)
        add_helper_log_groups(self, retention=log_retention)

    def _capacity(self, cluster: ecs.Cluster, *, after: IConstruct) -> ecs.CfnClusterCapacityProviderAssociations:
        capacity = ecs.CfnClusterCapacityProviderAssociations(
            self,
            "Capacity",
            cluster=cluster.cluster_name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
            default_capacity_provider_strategy=[],
        )
        # For the first cluster in an account, ECS creates a service-linked role, which does not work immediately. If
        # CloudFormation created this resource right after the cluster, it would fail with "Unable to assume the service
        # linked role". So this resource is created after the load balancer, which takes long enough. The service needs
        # the load balancer anyway.
        capacity.node.add_dependency(after)
        return capacity

    def _task(self, architecture: str) -> ecs.FargateTaskDefinition:
        return ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=CPU_UNITS,
            memory_limit_mib=MEMORY_MIB,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=CPU_ARCHITECTURES[architecture],
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )

    def _service(
        self,
        vpc: ec2.IVpc,
        cluster: ecs.Cluster,
        capacity: IConstruct,
        task: ecs.FargateTaskDefinition,
        *,
        private: bool,
    ) -> ecs.FargateService:
        subnets = serving_subnets(vpc)
        service = ecs.FargateService(
            self,
            "Service",
            cluster=cluster,
            task_definition=task,
            capacity_provider_strategies=[
                # AWS never interrupts the first task. Three of every four other tasks run on Spot capacity. These tasks
                # cost a third of the price, and AWS may interrupt them.
                ecs.CapacityProviderStrategy(capacity_provider="FARGATE", base=1, weight=1),
                ecs.CapacityProviderStrategy(capacity_provider="FARGATE_SPOT", weight=3),
            ],
            vpc_subnets=ec2.SubnetSelection(subnets=subnets),
            # Without a NAT gateway, a task needs a public address to reach the registry. But only the load balancer can
            # connect to the task, because of the task's security group.
            assign_public_ip=not private,
            security_groups=[ec2.SecurityGroup(self, "TasksGroup", vpc=vpc, description="The tasks")],
            **ROLLING_UPDATE,
        )
        # CloudFormation deletes resources in the reverse order of their dependencies, so it deletes the service before
        # it removes the capacity providers from the cluster. In the other order, the service would still use the
        # capacity providers, and the deletion of the stack would never end.
        service.node.add_dependency(capacity)
        # A task pulls its image as soon as it starts. By then, it needs the permission and the route to the internet.
        service.node.add_dependency(task.obtain_execution_role())
        service.node.add_dependency(*(subnet.internet_connectivity_established for subnet in subnets))
        return service
