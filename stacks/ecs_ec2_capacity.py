"""The EC2 instances of the ecs_ec2 example, and the capacity provider by which ECS uses them."""

from aws_cdk import Duration, Stack, Tags
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam

from stacks._nag import acknowledge
from stacks._network import ZONES, serving_subnets

MAX_INSTANCES = 7
"""Four instances run ten tasks, three on each. A deployment needs three more for the new tasks."""
DISK_GB = 30
"""The smallest size that the AMI allows."""


def instance_group(stack: Stack, vpc: ec2.Vpc, cluster: ecs.Cluster, architecture: str) -> autoscaling.AutoScalingGroup:
    """Return the Auto Scaling group: one instance in each zone, and up to MAX_INSTANCES when tasks need them."""
    subnets = serving_subnets(vpc)
    instances = autoscaling.AutoScalingGroup(
        stack,
        "Group",
        vpc=vpc,
        vpc_subnets=ec2.SubnetSelection(subnets=subnets),
        launch_template=_launch_template(stack, vpc, cluster, arm=architecture == "arm64"),
        min_capacity=ZONES,  # one in each zone. They start before any task, because the first deployment needs them.
        max_capacity=MAX_INSTANCES,
        new_instances_protected_from_scale_in=False,
        update_policy=autoscaling.UpdatePolicy.rolling_update(
            # With a new AMI, one new instance starts, then an old one goes. Its tasks move before it goes.
            max_batch_size=1,
            min_instances_in_service=ZONES,
            pause_time=Duration.minutes(3),
        ),
    )
    # An instance pulls images as soon as it starts, and needs its cluster until it ends.
    instances.node.add_dependency(*(subnet.internet_connectivity_established for subnet in subnets))
    # ECS sets this tag together with the capacity provider. By then the first instances have started without it, and
    # managed scaling miscounts instances without the tag (terraform-provider-aws #12582).
    Tags.of(instances).add("AmazonECSManaged", "true")
    acknowledge(
        instances,
        "AwsSolutions-AS3",
        "Instances start and stop every day, and nobody needs to know. The alarms report the important events.",
    )
    return instances


def capacity_provider(
    stack: Stack, cluster: ecs.Cluster, instances: autoscaling.AutoScalingGroup
) -> ecs.AsgCapacityProvider:
    """Let ECS place tasks on the instances and change their number. Return the capacity provider."""
    capacity = ecs.AsgCapacityProvider(
        stack,
        "Capacity",
        auto_scaling_group=instances,
        enable_managed_scaling=True,
        target_capacity_percent=100,  # no spare instance waits for tasks
        enable_managed_draining=True,
        # CloudFormation cannot terminate protected instances, so the deletion of the stack would never end
        # (aws-cdk #18179). No instance needs protection, because draining moves its tasks before it goes.
        enable_managed_termination_protection=False,
    )
    cluster.add_asg_capacity_provider(capacity)
    return capacity


def _launch_template(stack: Stack, vpc: ec2.Vpc, cluster: ecs.Cluster, *, arm: bool) -> ec2.LaunchTemplate:
    role = _instance_role(stack, cluster)
    group = ec2.SecurityGroup(stack, "InstancesGroup", vpc=vpc, description="The instances")
    return ec2.LaunchTemplate(
        stack,
        "Instances",
        instance_type=ec2.InstanceType("t4g.micro" if arm else "t3.micro"),
        machine_image=ecs.EcsOptimizedImage.amazon_linux2023(
            ecs.AmiHardwareType.ARM if arm else ecs.AmiHardwareType.STANDARD
        ),
        user_data=ec2.UserData.for_linux(),
        role=role.without_policy_updates(),  # CDK would also allow it to log and to pull for the tasks
        security_group=group,
        require_imdsv2=True,
        # A second hop would lead into a container, and tasks do not need the role of the instance.
        http_put_response_hop_limit=1,
        # An instance starts without CPU credits. Without `unlimited`, it would start and pull images on a fifth of a
        # vCPU. It earns the borrowed credits back when it is idle. Only days of load cost more: $0.04 an hour and vCPU.
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


def _instance_role(stack: Stack, cluster: ecs.Cluster) -> iam.Role:
    role = iam.Role(stack, "InstanceRole", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
    # These are the ECS agent's actions for the instance. For a task, the agent pulls and logs with the task's execution
    # role, by default in AWS's AMIs (ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE).
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/instance_IAM_role.html
    in_cluster = {"ArnEquals": {"ecs:cluster": cluster.cluster_arn}}
    for actions, resource, conditions in (
        (["DiscoverPollEndpoint"], "*", None),
        (["RegisterContainerInstance", "DeregisterContainerInstance"], cluster.cluster_arn, None),
        (
            ["SubmitContainerStateChange", "SubmitTaskStateChange", "SubmitAttachmentStateChanges"],
            cluster.cluster_arn,
            None,
        ),
        (["Poll", "StartTelemetrySession"], "*", in_cluster),
    ):
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[f"ecs:{action}" for action in actions], resources=[resource], conditions=conditions
            )
        )
    # These allow `aws ssm start-session`: a shell without SSH, a key or an open port, for users with that permission.
    # The managed policy AmazonSSMManagedInstanceCore would also let the instance read every parameter of the account.
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
        role,
        "AwsSolutions-IAM5[Resource::*]",
        "The agents of SSM and ECS use actions that do not support resources.",
    )
    return role
