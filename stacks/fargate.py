"""The web service on Fargate: containers without instances, behind a load balancer."""

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from stacks._cdk_helpers import add_helper_log_groups
from stacks._network import serving_subnets, small_vpc
from stacks._web import expose_service
from stacks._web_balancer import load_balancer
from stacks._web_image import web_image
from stacks._web_service import ROLLING_UPDATE, add_web_container, web_cluster

CPU = {"arm64": ecs.CpuArchitecture.ARM64, "x86_64": ecs.CpuArchitecture.X86_64}
CPU_UNITS = 256
"""A quarter of a vCPU, the smallest size. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html"""
MEMORY_MIB = 512
"""The smallest size for this CPU. The server needs 30 MiB."""


class FargateStack(Stack):
    """Load balancer -> tasks on Fargate and Fargate Spot, whose number follows the load, in a VPC."""

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
        description = "Fargate: the same web service in containers without instances, behind a load balancer"
        super().__init__(scope, id, description=description, **stack)

        vpc = small_vpc(self, private=retain_data, log_retention=log_retention)
        cluster = web_cluster(self, vpc, container_insights=container_insights)
        balancer = load_balancer(self, vpc, retain_data=retain_data)
        capacity = self._capacity(cluster, after=balancer)
        task = self._task(architecture)
        container_image = web_image(self, image, architecture)
        add_web_container(task, container_image, retain_logs=retain_data, log_retention=log_retention)
        service = self._service(vpc, cluster, capacity, task, private=retain_data)
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
        # CDK would create this right after the cluster. With the first cluster of an account, ECS creates its role, and
        # the role does not work at once: this would fail with "Unable to assume the service linked role". Creating the
        # load balancer takes long enough, and the service waits for it anyway.
        capacity.node.add_dependency(after)
        return capacity

    def _task(self, architecture: str) -> ecs.FargateTaskDefinition:
        return ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=CPU_UNITS,
            memory_limit_mib=MEMORY_MIB,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=CPU[architecture], operating_system_family=ecs.OperatingSystemFamily.LINUX
            ),
        )

    def _service(
        self,
        vpc: ec2.Vpc,
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
                # AWS never takes the first task back. Three in four of the others cost a third of the price.
                ecs.CapacityProviderStrategy(capacity_provider="FARGATE", base=1, weight=1),
                ecs.CapacityProviderStrategy(capacity_provider="FARGATE_SPOT", weight=3),
            ],
            vpc_subnets=ec2.SubnetSelection(subnets=subnets),
            # Without a NAT gateway, a task reaches the registry by its public address. Its security group lets only
            # the load balancer in.
            assign_public_ip=not private,
            security_groups=[ec2.SecurityGroup(self, "TasksGroup", vpc=vpc, description="The tasks")],
            **ROLLING_UPDATE,
        )
        # CloudFormation deletes in the reverse order. Otherwise it would take the capacity providers from the cluster
        # while the service still uses them, and the deletion of the stack would never end.
        service.node.add_dependency(capacity)
        # A task pulls its image as soon as it starts. It needs the permission and the way to the internet by then.
        service.node.add_dependency(task.obtain_execution_role())
        service.node.add_dependency(*(subnet.internet_connectivity_established for subnet in subnets))
        return service
