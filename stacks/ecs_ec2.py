"""The web service on ECS with EC2 instances. The containers are the same as on Fargate, but you run the machines."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks._cdk_helpers import add_helper_log_groups
from stacks._network import example_vpc
from stacks._web import expose_service
from stacks._web_balancer import load_balancer
from stacks._web_image import web_image
from stacks._web_service import ROLLING_UPDATE, add_web_container, web_cluster
from stacks.ecs_ec2_capacity import allow_registration, capacity_provider, instance_group, instance_role

CPU_UNITS = 256
"""CPU units of each task: a quarter of a vCPU, as on Fargate. On a busy instance, a task gets this share. On an idle
instance, a task may use the whole CPU."""
MEMORY_MIB = 256
"""Memory limit of each task. ECS kills a task that uses more. The server needs 30 MiB. Three tasks fit into the 900 MiB
of an instance."""


class EcsEc2Stack(Stack):
    """A load balancer, tasks, and an Auto Scaling group with as many instances as the tasks need, in a VPC."""

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
        description = "ECS on EC2: a web service in containers on an Auto Scaling group, behind a load balancer"
        super().__init__(scope, id, description=description, **stack_parameters)

        vpc = example_vpc(
            self,
            existing_vpc=existing_vpc,
            private=retain_data,  # only production pays for a NAT gateway
            availability_zones=availability_zones,
            log_retention=log_retention,
        )
        cluster = web_cluster(self, vpc, container_insights=container_insights)
        role = instance_role(self, cluster)
        instances = instance_group(self, vpc, role, architecture, keep_both_zones=retain_data)
        capacity = capacity_provider(self, cluster, instances)
        registration = allow_registration(self, cluster, role)
        # In bridge mode, each task gets a port of its instance. In awsvpc mode, each task would need a network
        # interface of its own, and the smallest instances support only one such interface. In a public subnet, this
        # interface would have no public address, so the task could not reach the internet.
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
        # CloudFormation creates the service only when the instances can join the cluster. It deletes the service first.
        service.node.add_dependency(registration)
        # Tasks in bridge mode use the security group of their instance. If a service has a capacity provider, CDK does
        # not add this group to the connections of the service. Without this line, the load balancer could not reach the
        # tasks, and no task would ever become healthy.
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
                # ECS spreads the tasks over the zones, because one zone may fail. In each zone it fills one instance
                # after another, so that an instance without tasks can be terminated.
                ecs.PlacementStrategy.spread_across(ecs.BuiltInAttributes.AVAILABILITY_ZONE),
                ecs.PlacementStrategy.packed_by_memory(),
            ],
            **ROLLING_UPDATE,
        )
        # CloudFormation deletes resources in the reverse order of their dependencies, so it deletes the service before
        # it removes the capacity provider from the cluster. In the other order, the service would still use the
        # capacity provider, and the deletion of the stack would never end.
        service.node.add_dependency(cluster)
        # A task pulls its image as soon as it starts. By then, its execution role needs the permission. A deployment
        # that changes the image may also change this permission.
        service.node.add_dependency(task.obtain_execution_role())
        return service
