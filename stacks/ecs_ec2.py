"""The web service on ECS with EC2 instances: the same containers, on machines that you provision and pay for."""

from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack, Tags
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks._alarms import alarm_topic, notify
from stacks._cdk_helpers import add_helper_log_groups
from stacks._nag import acknowledge
from stacks._network import ZONES, serving_subnets, small_vpc
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

CPU_UNITS = 256
"""Of a task: a quarter of a vCPU, as on Fargate. A share when the instance is busy; idle, a task may take it all."""
MEMORY_MIB = 256
"""Of a task: the server takes 30, and three tasks go into an instance's 900 or so. What takes more is killed."""
MAX_INSTANCES = 7
"""Ten tasks at three an instance, and three more instances that a deployment can roll through."""
DISK_GB = 30
"""What the image of the machine asks for at least."""


class EcsEc2Stack(Stack):
    """VPC -> load balancer -> service of tasks on an Auto Scaling group, which grows with the tasks."""

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
        instances = self._instances(vpc, ecs_cluster, architecture)
        capacity = self._capacity(ecs_cluster, instances)
        log_group = logs.LogGroup(
            self,
            "Logs",
            retention=log_retention,
            removal_policy=RemovalPolicy.RETAIN if retain_data else RemovalPolicy.DESTROY,
        )
        # Bridge: each task is given a port of its instance. With awsvpc each would need an interface of the
        # instance's, of which the smallest have one to spare, and had no way to the internet in a public subnet.
        task = ecs.Ec2TaskDefinition(self, "Task", network_mode=ecs.NetworkMode.BRIDGE)
        add_web_container(task, web_image(self, image, architecture), log_group, cpu=CPU_UNITS, memory_mib=MEMORY_MIB)
        service = self._service(ecs_cluster, task, capacity)
        # Bridged tasks are behind the instances' security group, and CDK forgets it for those of a capacity provider:
        # without this line the load balancer is let through to nobody, and no task ever becomes healthy.
        service.connections.add_security_group(*instances.connections.security_groups)

        balancer = load_balancer(self, vpc, retain_data=retain_data)
        targets = target_group(vpc, service)
        listen(balancer, targets, certificate_arn)
        scale(service, targets)
        alarms = web_alarms(self, balancer, targets, service, lesson="ecs_ec2")
        notify(alarms, alarm_topic(self, alarm_email))
        add_helper_log_groups(self, retention=log_retention)

        CfnOutput(self, "ServiceUrl", value=service_url(balancer, certificate_arn))
        CfnOutput(self, "ClusterName", value=ecs_cluster.cluster_name)
        CfnOutput(self, "ServiceName", value=service.service_name)

    def _instances(self, vpc: ec2.Vpc, cluster: ecs.Cluster, architecture: str) -> autoscaling.AutoScalingGroup:
        arm = architecture == "arm64"
        role = self._instance_role(cluster)
        group = ec2.SecurityGroup(self, "InstancesGroup", vpc=vpc, description="The instances")
        template = ec2.LaunchTemplate(
            self,
            "Instances",
            instance_type=ec2.InstanceType("t4g.micro" if arm else "t3.micro"),
            machine_image=ecs.EcsOptimizedImage.amazon_linux2023(
                ecs.AmiHardwareType.ARM if arm else ecs.AmiHardwareType.STANDARD
            ),
            user_data=ec2.UserData.for_linux(),
            role=role.without_policy_updates(),  # left to itself, CDK would let it log and pull for the tasks, too
            security_group=group,
            require_imdsv2=True,
            http_put_response_hop_limit=1,  # not the second, into a container: tasks have no use for the machine's role
            # It begins without credits, and would start and pull on a fifth of a vCPU. What it borrows it earns back
            # when it is idle; only what is busy for days costs more: $0.04 an hour and vCPU.
            cpu_credits=ec2.CpuCredits.UNLIMITED,
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(
                        DISK_GB, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3, delete_on_termination=True
                    ),
                )
            ],
        )
        subnets = serving_subnets(vpc)
        instances = autoscaling.AutoScalingGroup(
            self,
            "Group",
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnets=subnets),
            launch_template=template,
            min_capacity=ZONES,  # one in each zone, started before there is a task: the first deployment waits for them
            max_capacity=MAX_INSTANCES,
            new_instances_protected_from_scale_in=False,
            update_policy=autoscaling.UpdatePolicy.rolling_update(
                # With a new image of the machine: one more, then one less, its tasks moved before.
                max_batch_size=1,
                min_instances_in_service=ZONES,
                pause_time=Duration.minutes(3),
            ),
        )
        # An instance pulls as soon as it starts, and is to reach its cluster for as long as it lives.
        instances.node.add_dependency(*(subnet.internet_connectivity_established for subnet in subnets))
        # ECS puts it on the group with the capacity provider. That is too late for the first instances, which start
        # with the group, and managed scaling reckons wrongly with those without it (terraform-provider-aws #12582).
        Tags.of(instances).add("AmazonECSManaged", "true")
        acknowledge(
            instances,
            "AwsSolutions-AS3",
            "Instances come and go every day, and nobody has to know. What somebody has to has alarms.",
        )
        return instances

    def _instance_role(self, cluster: ecs.Cluster) -> iam.Role:
        role = iam.Role(self, "InstanceRole", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        # What the ECS agent does for the instance. For a task it pulls and logs as the task's execution role, in the
        # images of AWS's by default (ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE).
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/instance_IAM_role.html
        of_the_cluster = {"ArnEquals": {"ecs:cluster": cluster.cluster_arn}}
        for actions, resource, conditions in (
            (["DiscoverPollEndpoint"], "*", None),
            (["RegisterContainerInstance", "DeregisterContainerInstance"], cluster.cluster_arn, None),
            (
                ["SubmitContainerStateChange", "SubmitTaskStateChange", "SubmitAttachmentStateChanges"],
                cluster.cluster_arn,
                None,
            ),
            (["Poll", "StartTelemetrySession"], "*", of_the_cluster),
        ):
            role.add_to_policy(
                iam.PolicyStatement(
                    actions=[f"ecs:{action}" for action in actions], resources=[resource], conditions=conditions
                )
            )
        # A shell for those who may have one, without SSH, a key or an open port: `aws ssm start-session`.
        # AmazonSSMManagedInstanceCore would let the machine read every parameter of the account.
        # https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[
                    "ssm:UpdateInstanceInformation",
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ],
                resources=["*"],
            )
        )
        acknowledge(
            role, "AwsSolutions-IAM5[Resource::*]", "The agents of SSM and ECS ask for what knows no resources."
        )
        return role

    def _capacity(self, cluster: ecs.Cluster, instances: autoscaling.AutoScalingGroup) -> ecs.AsgCapacityProvider:
        capacity = ecs.AsgCapacityProvider(
            self,
            "Capacity",
            auto_scaling_group=instances,
            enable_managed_scaling=True,
            target_capacity_percent=100,  # no instance waits for tasks to come
            enable_managed_draining=True,
            # Protected instances cannot be terminated when the stack is deleted, which then never ends
            # (aws-cdk #18179). Draining moves the tasks of any instance that goes, so nothing needs protection.
            enable_managed_termination_protection=False,
        )
        cluster.add_asg_capacity_provider(capacity)
        return capacity

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
                # First so that a zone may fail, then so that instances come free and can be given back.
                ecs.PlacementStrategy.spread_across(ecs.BuiltInAttributes.AVAILABILITY_ZONE),
                ecs.PlacementStrategy.packed_by_memory(),
            ],
            **ROLLING,
        )
        # Or the capacity provider would be taken from the cluster while the service still uses it, and no deletion of
        # the stack would come to its end.
        service.node.add_dependency(cluster)
        # With another image the role is changed, too, and a task pulls as soon as it starts.
        service.node.add_dependency(task.obtain_execution_role())
        return service
