"""The EC2 instances that run the jobs of the batch example, and the queue in which the jobs wait for an instance."""

from collections.abc import Sequence
from typing import Any, cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from stacks._nag import acknowledge
from stacks._network import serving_subnets

DISK_GB = 30
"""The smallest disk that the machine image (AMI) allows."""
INSTANCE_CLASSES = {"arm64": batch.DefaultInstanceClass.ARM64, "x86_64": batch.DefaultInstanceClass.X86_64}
"""With these classes of instances, Batch itself chooses among the instance families of the region. Today it uses c6g,
m6g, r6g and c7g for arm64, and c6i, m6i, r6i and c7i for x86_64. A list of families would not work in every region:
Batch rejects the list if the region lacks one family of the list. Many regions do not have c7g, c5 or m6i, for example.
https://docs.aws.amazon.com/batch/latest/userguide/instance-type-compute-table.html"""
ECS_AGENT_POLICY = "service-role/AmazonEC2ContainerServiceforEC2Role"


def compute_environments(
    stack: Stack, vpc: ec2.IVpc, *, architecture: str, instance_types: Sequence[str], max_vcpus: int
) -> list[batch.ManagedEc2EcsComputeEnvironment]:
    """Return the compute environments for Spot and on-demand instances. Instances start only when jobs need them.

    With no `instance_types`, Batch chooses among its default types for the `architecture`.
    """
    subnets = serving_subnets(vpc)
    template = _launch_template(stack)
    role = _instance_role(stack)
    security_group = ec2.SecurityGroup(
        stack, "InstancesGroup", vpc=vpc, description="The instances: nobody gets in", allow_all_outbound=False
    )
    security_group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "AWS: ECS, ECR, S3, CloudWatch Logs")
    types: dict[str, Any] = {"default_instance_classes": [INSTANCE_CLASSES[architecture]]}
    if instance_types:
        chosen_types = [ec2.InstanceType(name) for name in instance_types]
        types = {"instance_types": chosen_types, "use_optimal_instance_classes": False}
    environments = [
        batch.ManagedEc2EcsComputeEnvironment(
            stack,
            id_,
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnets=subnets),
            security_groups=[security_group],
            spot=spot,
            allocation_strategy=strategy,
            **types,
            images=[batch.EcsMachineImage(image_type=batch.EcsMachineImageType.ECS_AL2023)],
            launch_template=template,
            instance_role=role,
            minv_cpus=0,  # no instance runs without a job
            maxv_cpus=max_vcpus,
            # With these settings, Batch updates an environment without replacing it. This works only with Batch's own
            # service-linked role, so the environment has no other service role.
            # https://docs.aws.amazon.com/batch/latest/userguide/updating-compute-environments.html
            replace_compute_environment=False,
            update_to_latest_image_version=True,
            terminate_on_update=False,
            update_timeout=Duration.minutes(30),  # then Batch stops the job, and its next attempt continues
        )
        for id_, spot, strategy in (
            ("Spot", True, batch.AllocationStrategy.SPOT_PRICE_CAPACITY_OPTIMIZED),
            ("OnDemand", False, batch.AllocationStrategy.BEST_FIT_PROGRESSIVE),
        )
    ]
    for environment in environments:
        # CDK does not set the version. Batch would then always use the first version of the launch template.
        cast("batch.CfnComputeEnvironment", environment.node.default_child).add_property_override(
            "ComputeResources.LaunchTemplate.Version", template.latest_version_number
        )
        # Until an instance ends, it must reach its ECS cluster through the internet. So CloudFormation must delete the
        # instances before the routes to the internet.
        environment.node.add_dependency(*(subnet.internet_connectivity_established for subnet in subnets))
    return environments


def job_queue(stack: Stack, environments: list[batch.ManagedEc2EcsComputeEnvironment]) -> batch.JobQueue:
    """Return a queue for jobs. They run in the first environment, or in the next one if the first cannot grow."""

    def cancel_after(reason: batch.JobStateTimeLimitActionsReason, duration: Duration) -> batch.JobStateTimeLimitAction:
        return batch.JobStateTimeLimitAction(
            action=batch.JobStateTimeLimitActionsAction.CANCEL,
            state=batch.JobStateTimeLimitActionsState.RUNNABLE,
            reason=reason,
            max_time=duration,
        )

    return batch.JobQueue(
        stack,
        "Queue",
        compute_environments=[
            batch.OrderedComputeEnvironment(compute_environment=environment, order=order)
            for order, environment in enumerate(environments, start=1)
        ],
        job_state_time_limit_actions=[
            # If no instance is large enough for a job, the job would block all jobs behind it for ever.
            cancel_after(batch.JobStateTimeLimitActionsReason.JOB_RESOURCE_REQUIREMENT, Duration.minutes(10)),
            cancel_after(batch.JobStateTimeLimitActionsReason.COMPUTE_ENVIRONMENT_MAX_RESOURCE, Duration.minutes(10)),
            # AWS had no instance for a whole day: neither Spot nor on-demand, in two zones and several families.
            cancel_after(batch.JobStateTimeLimitActionsReason.INSUFFICIENT_INSTANCE_CAPACITY, Duration.hours(24)),
        ],
    )


def _launch_template(stack: Stack) -> ec2.LaunchTemplate:
    return ec2.LaunchTemplate(
        stack,
        "Machines",
        require_imdsv2=True,
        # One network hop is the minimum. Jobs can still reach the instance's metadata, because Batch's containers share
        # the network of the instance.
        http_put_response_hop_limit=1,
        block_devices=[
            ec2.BlockDevice(
                device_name="/dev/xvda",
                volume=ec2.BlockDeviceVolume.ebs(
                    DISK_GB, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3, delete_on_termination=True
                ),
            )
        ],
    )


def _instance_role(stack: Stack) -> iam.Role:
    role = iam.Role(
        stack,
        "InstanceRole",
        assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
        managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(ECS_AGENT_POLICY)],
    )
    acknowledge(
        role,
        f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{ECS_AGENT_POLICY}]",
        "This is AWS's policy for the ECS agent. Batch creates the cluster, so the template cannot name it.",
    )
    return role
