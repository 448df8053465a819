"""The EC2 instances of the ecs_ec2 example, and the capacity provider through which ECS uses them."""

from aws_cdk import Duration, Stack, Tags
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam

from stacks._nag import acknowledge
from stacks._network import ZONES, serving_subnets

MAX_INSTANCES = 7
"""Maximum number of instances. An instance runs three tasks. During a deployment, ten new tasks run beside ten old
tasks, so 20 tasks need seven instances."""
DISK_GB = 30
"""The smallest disk that the machine image (AMI) allows."""


def instance_group(
    stack: Stack, vpc: ec2.IVpc, role: iam.Role, architecture: str, *, keep_both_zones: bool
) -> autoscaling.AutoScalingGroup:
    """Return the Auto Scaling group: one instance in each zone, and up to MAX_INSTANCES when tasks need them.

    CloudFormation replaces the instances when there is a new machine image (AMI). With `keep_both_zones`, each zone has
    an instance during this time. Three instances then run at once, so the account needs a quota of 6 vCPUs. A new
    account often has only 5. Without `keep_both_zones`, at most two instances run at once, and for some minutes one
    instance runs all tasks.
    """
    subnets = serving_subnets(vpc)
    instances = autoscaling.AutoScalingGroup(
        stack,
        "Group",
        vpc=vpc,
        vpc_subnets=ec2.SubnetSelection(subnets=subnets),
        launch_template=_launch_template(stack, vpc, role, arm=architecture == "arm64"),
        min_capacity=ZONES,  # one in each zone, even before the first task, because the first deployment needs them
        max_capacity=MAX_INSTANCES,
        new_instances_protected_from_scale_in=False,
        update_policy=autoscaling.UpdatePolicy.rolling_update(
            # With a new AMI, CloudFormation replaces one instance after the other. Before an old instance ends, its
            # tasks move to another instance. If two instances must stay in service, the new instance starts before the
            # old one ends. If one is enough, the old instance ends first.
            max_batch_size=1,
            min_instances_in_service=ZONES if keep_both_zones else 1,
            pause_time=Duration.minutes(3),
        ),
    )
    # An instance needs the internet from its start until its end. It pulls images at the start, and must reach its
    # cluster until the end.
    instances.node.add_dependency(*(subnet.internet_connectivity_established for subnet in subnets))
    # ECS sets this tag when the capacity provider is created. But the first instances start earlier, so they would not
    # have the tag. Managed scaling does not count instances without the tag correctly (terraform-provider-aws #12582).
    Tags.of(instances).add("AmazonECSManaged", "true")
    acknowledge(
        instances,
        "AwsSolutions-AS3",
        "It is normal that instances start and stop every day. The alarms report the important events.",
    )
    return instances


def capacity_provider(
    stack: Stack, cluster: ecs.Cluster, instances: autoscaling.AutoScalingGroup
) -> ecs.AsgCapacityProvider:
    """Let ECS place tasks on the instances and change the number of instances. Return the capacity provider."""
    capacity = ecs.AsgCapacityProvider(
        stack,
        "Capacity",
        auto_scaling_group=instances,
        enable_managed_scaling=True,
        target_capacity_percent=100,  # no empty instance runs as a reserve
        enable_managed_draining=True,
        # CloudFormation cannot terminate protected instances, so the deletion of the stack would never end
        # (aws-cdk #18179). Instances need no protection, because draining moves their tasks before they are terminated.
        enable_managed_termination_protection=False,
    )
    cluster.add_asg_capacity_provider(capacity)
    return capacity


def allow_registration(stack: Stack, cluster: ecs.Cluster, role: iam.Role) -> iam.Policy:
    """Allow the instances to join the cluster, but only after the cluster has its capacity provider.

    The capacity provider needs the Auto Scaling group, so the first instances start before the capacity provider
    exists. If an instance joins the cluster too early, ECS possibly never places tasks on it. Without this permission,
    the instance cannot join. Its ECS agent then tries again, with pauses of at most 15 seconds.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/asg-capacity-providers.html
    https://github.com/aws/amazon-ecs-agent/blob/v1.105.1/ecs-init/engine/engine.go
    """
    registration = iam.Policy(
        stack,
        "Registration",
        roles=[role],
        statements=[
            iam.PolicyStatement(actions=["ecs:RegisterContainerInstance"], resources=[cluster.cluster_arn]),
        ],
    )
    # In CDK, the resource that connects the cluster with its capacity provider is a child of the cluster construct.
    registration.node.add_dependency(cluster)
    return registration


def instance_role(stack: Stack, cluster: ecs.Cluster) -> iam.Role:
    """Return the role of the instances. Only allow_registration() adds the permission to join the cluster."""
    role = iam.Role(stack, "InstanceRole", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
    # The ECS agent of the instance needs these actions. To pull a task's image and to write its logs, the agent uses
    # the task's execution role. AWS's AMIs configure this by default (ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE).
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/instance_IAM_role.html
    in_cluster = {"ArnEquals": {"ecs:cluster": cluster.cluster_arn}}
    for actions, resource, conditions in (
        (["DiscoverPollEndpoint"], "*", None),
        (["DeregisterContainerInstance"], cluster.cluster_arn, None),
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
    # With these actions, `aws ssm start-session` works: it opens a shell on the instance without SSH, a key or an open
    # port. Users need the permission for this command.
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
        "Most actions of the agents of SSM and ECS accept no resource, and the names of the instances are not known.",
    )
    return role


def _launch_template(stack: Stack, vpc: ec2.IVpc, role: iam.Role, *, arm: bool) -> ec2.LaunchTemplate:
    group = ec2.SecurityGroup(stack, "InstancesGroup", vpc=vpc, description="The instances")
    return ec2.LaunchTemplate(
        stack,
        "Instances",
        instance_type=ec2.InstanceType("t4g.micro" if arm else "t3.micro"),
        machine_image=ecs.EcsOptimizedImage.amazon_linux2023(
            ecs.AmiHardwareType.ARM if arm else ecs.AmiHardwareType.STANDARD
        ),
        user_data=ec2.UserData.for_linux(),
        # Without this call, CDK would also allow the role to write the logs of the tasks and to pull their images.
        role=role.without_policy_updates(),
        security_group=group,
        require_imdsv2=True,
        # The credentials of the instance's role need one hop to the instance, and a second hop to a container. With a
        # limit of one hop, they do not reach the tasks. The tasks do not need this role.
        http_put_response_hop_limit=1,
        # A new instance has no CPU credits, so it would start and pull images with a fifth of a vCPU. With UNLIMITED,
        # it may borrow credits. It earns these credits again when it is idle. More than it earns in 24 hours
        # costs $0.04 per vCPU and hour (t4g).
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
