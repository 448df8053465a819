"""The web service on ECS with EC2 instances: the same containers, on machines that you run and pay for."""

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks._cdk_helpers import add_helper_log_groups
from stacks._network import small_vpc
from stacks._web import expose_service
from stacks._web_balancer import load_balancer
from stacks._web_image import web_image
from stacks._web_service import ROLLING_UPDATE, add_web_container, web_cluster
from stacks.ecs_ec2_capacity import capacity_provider, instance_group

CPU_UNITS = 256
"""Of each task: a quarter of a vCPU, as on Fargate. On a busy instance it is the task's share. On an idle instance, a
task may use all of the CPU."""
MEMORY_MIB = 256
"""Of each task. The server needs 30 MiB, and three tasks fit into an instance's 900 MiB. ECS kills a task that uses
more."""


class EcsEc2Stack(Stack):
    """Load balancer -> tasks on an Auto Scaling group of instances, whose size follows the tasks, in a VPC."""

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
        description = "ECS on EC2: a web service in containers on an Auto Scaling group, behind a load balancer"
        super().__init__(scope, id, description=description, **stack)

        vpc = small_vpc(self, private=retain_data, log_retention=log_retention)
        cluster = web_cluster(self, vpc, container_insights=container_insights)
        instances = instance_group(self, vpc, cluster, architecture)
        capacity = capacity_provider(self, cluster, instances)
        # In bridge mode, each task gets a port of its instance. In awsvpc mode, each task would need a network
        # interface of the instance. The smallest instances have one to spare. In a public subnet that interface gets no
        # public address, so the task could not reach the internet.
        task = ecs.Ec2TaskDefinition(self, "Task", network_mode=ecs.NetworkMode.BRIDGE)
        container_image = web_image(self, image, architecture)
        add_web_container(
            task,
            container_image,
            retain_logs=retain_data,
            log_retention=log_retention,
            cpu=CPU_UNITS,
            memory_mib=MEMORY_MIB,
        )
        service = self._service(cluster, task, capacity)
        # Bridged tasks use the security group of their instance. CDK does not add it when a service has a capacity
        # provider. Without this line, the load balancer reaches no task, and no task ever becomes healthy.
        service.connections.add_security_group(*instances.connections.security_groups)

        balancer = load_balancer(self, vpc, retain_data=retain_data)
        expose_service(balancer, service, stem="ecs_ec2", certificate_arn=certificate_arn, alarm_email=alarm_email)
        add_helper_log_groups(self, retention=log_retention)

    def _service(
        self, cluster: ecs.Cluster, task: ecs.Ec2TaskDefinition, capacity: ecs.AsgCapacityProvider
    ) -> ecs.Ec2Service:
        service = ecs.Ec2Service(
            self,
            "Service",
            cluster=cluster,
            task_definition=task,
            capacity_provider_strategies=[
                ecs.CapacityProviderStrategy(capacity_provider=capacity.capacity_provider_name, weight=1)
            ],
            placement_strategies=[
                # First spread the tasks, so that a zone may fail. Then pack them, so that empty instances can go.
                ecs.PlacementStrategy.spread_across(ecs.BuiltInAttributes.AVAILABILITY_ZONE),
                ecs.PlacementStrategy.packed_by_memory(),
            ],
            **ROLLING_UPDATE,
        )
        # CloudFormation deletes in the reverse order. Otherwise it would take the capacity provider from the cluster
        # while the service still uses it, and the deletion of the stack would never end.
        service.node.add_dependency(cluster)
        # Another image also changes the role, and a task pulls its image as soon as it starts.
        service.node.add_dependency(task.obtain_execution_role())
        return service
