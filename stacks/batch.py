"""An array job makes the thumbnails of a whole bucket, on EC2 instances that AWS Batch starts for it, and ends."""

from typing import Any, cast

from aws_cdk import CfnOutput, Duration, IgnoreMode, RemovalPolicy, Size, Stack, TimeZone
from aws_cdk import aws_batch as batch
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks._alarms import alarm_topic, notify
from stacks._bundling import ROOT
from stacks._cdk_helpers import add_helper_log_groups
from stacks._nag import acknowledge
from stacks._network import serving_subnets, small_vpc
from stacks._pictures import MAX_BYTES, MAX_DECODING_BYTES, MAX_PIXELS
from stacks._schedules import scheduler_role
from stacks._stores import dead_letter_queue, private_bucket

DOCKERFILE = "containers/batch/Dockerfile"
VCPUS = 2
"""Of a child: as many as a `large` instance of any family has. More children are as good as larger ones."""
MEMORY_MIB = 3584
"""Of a child: two decoders with MAX_DECODING_BYTES and 160 MiB around each, and 850 for lists and pictures on their
way. It fits into 4 GiB, less what the instance needs for itself."""
ATTEMPTS = 5
"""How often a child may lose its host, which costs it no picture that was done."""
LONGEST = Duration.hours(24)
"""A child that takes longer hangs, or should have had more siblings. Batch itself knows no limit."""
DISK_GB = 30
"""What the image of the machine asks for at least."""
STOPPED = "143"
"""The job's exit code after SIGTERM, by which it learns first that its host is going."""
FAMILIES = {"arm64": batch.DefaultInstanceClass.ARM64, "x86_64": batch.DefaultInstanceClass.X86_64}
"""Batch's own lists, of the families that a region has: today c6g, m6g, r6g and c7g, or c6i, m6i, r6i and c7i. A list
of ours would be refused where one of its families is not: c7g is not everywhere, nor are c5 and m6i.
https://docs.aws.amazon.com/batch/latest/userguide/instance-type-compute-table.html"""


class BatchStack(Stack):
    """Input bucket -> array job on Spot, or else on-demand instances -> output bucket; what failed -> an alarm."""

    def __init__(  # noqa: PLR0913 - every choice of the example, by name
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        architecture: str,
        max_vcpus: int,
        max_edge: int,
        monthly_budget: int,
        image: str | None = None,
        schedule: str | None = None,
        alarm_email: str | None = None,
        **stack: Any,
    ) -> None:
        """`schedule` is when a job over the whole bucket is submitted; `monthly_budget` the account's, in dollars."""
        super().__init__(scope, id, **stack)
        self._removal = RemovalPolicy.RETAIN if retain_data else RemovalPolicy.DESTROY

        pictures = private_bucket(self, "Input", removal=self._removal, keep_versions=retain_data)
        made = private_bucket(self, "Output", removal=self._removal)
        environments = self._environments(
            small_vpc(self, private=retain_data, log_retention=log_retention), architecture, max_vcpus
        )
        queue = self._queue("Queue", environments)
        job = self._job(
            "Job",
            image=self._image(image, architecture),
            log_group=logs.LogGroup(self, "Logs", retention=log_retention, removal_policy=self._removal),
            job_role=self._job_role(pictures, made),
            environment={
                "INPUT_BUCKET": pictures.bucket_name,
                "OUTPUT_BUCKET": made.bucket_name,
                "MAX_EDGE": str(max_edge),
                "MAX_BYTES": str(MAX_BYTES),
                "MAX_PIXELS": str(MAX_PIXELS),
                "MAX_DECODING_BYTES": str(MAX_DECODING_BYTES),
                "VCPUS": str(VCPUS),  # a container cannot see what Batch has given it
            },
        )
        self._empty_buckets_last([pictures, made], environments)
        failed = dead_letter_queue(self, "FailedJobs", removal=self._removal)
        self._collect_failures(queue, failed)
        if schedule is not None:
            self._nightly(schedule, queue, job, children=max_vcpus // VCPUS, failed=failed)
        if alarm_email is not None:
            self._budget(monthly_budget, alarm_email)
        notify([self._alarm(failed)], alarm_topic(self, alarm_email))
        add_helper_log_groups(self, retention=log_retention)

        CfnOutput(self, "JobQueueArn", value=queue.job_queue_arn)
        CfnOutput(self, "JobDefinitionArn", value=job.job_definition_arn)
        CfnOutput(self, "InputBucketName", value=pictures.bucket_name)
        CfnOutput(self, "OutputBucketName", value=made.bucket_name)

    # -- where jobs run

    def _environments(
        self, vpc: ec2.Vpc, architecture: str, max_vcpus: int
    ) -> list[batch.ManagedEc2EcsComputeEnvironment]:
        subnets = serving_subnets(vpc)
        template = self._machines()
        role = self._instance_role()
        group = ec2.SecurityGroup(
            self, "InstancesGroup", vpc=vpc, description="The instances: nobody gets in", allow_all_outbound=False
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "AWS: ECS, ECR, S3, CloudWatch Logs")
        made = [
            batch.ManagedEc2EcsComputeEnvironment(
                self,
                id_,
                vpc=vpc,
                vpc_subnets=ec2.SubnetSelection(subnets=subnets),
                security_groups=[group],
                spot=spot,
                allocation_strategy=strategy,
                default_instance_classes=[FAMILIES[architecture]],
                images=[batch.EcsMachineImage(image_type=batch.EcsMachineImageType.ECS_AL2023)],
                launch_template=template,
                instance_role=role,
                minv_cpus=0,  # no instance without a job
                maxv_cpus=max_vcpus,
                # No service role either: Batch updates environments in place only under its own, service-linked one.
                # https://docs.aws.amazon.com/batch/latest/userguide/updating-compute-environments.html
                replace_compute_environment=False,
                update_to_latest_image_version=True,
                terminate_on_update=False,
                update_timeout=Duration.minutes(30),  # a child that is stopped then goes on where it was
            )
            for id_, spot, strategy in (
                ("Spot", True, batch.AllocationStrategy.SPOT_PRICE_CAPACITY_OPTIMIZED),
                ("OnDemand", False, batch.AllocationStrategy.BEST_FIT_PROGRESSIVE),
            )
        ]
        for environment in made:
            # CDK leaves it out, and Batch would go on with the first version whatever becomes of the template.
            cast("batch.CfnComputeEnvironment", environment.node.default_child).add_property_override(
                "ComputeResources.LaunchTemplate.Version", template.latest_version_number
            )
            # An instance is to reach its cluster for as long as it lives.
            environment.node.add_dependency(*(subnet.internet_connectivity_established for subnet in subnets))
        return made

    def _machines(self) -> ec2.LaunchTemplate:
        return ec2.LaunchTemplate(
            self,
            "Machines",
            require_imdsv2=True,
            http_put_response_hop_limit=1,  # as narrow as it goes; but Batch's containers share the host's network
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(
                        DISK_GB, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3, delete_on_termination=True
                    ),
                )
            ],
        )

    def _instance_role(self) -> iam.Role:
        role = iam.Role(
            self,
            "InstanceRole",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonEC2ContainerServiceforEC2Role")
            ],
        )
        acknowledge(
            role,
            "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role]",
            "The ECS agent's own: Batch makes the cluster, so that its name cannot be written here.",
        )
        return role

    def _queue(self, id_: str, environments: list[batch.ManagedEc2EcsComputeEnvironment]) -> batch.JobQueue:
        def cancel(reason: batch.JobStateTimeLimitActionsReason, after: Duration) -> batch.JobStateTimeLimitAction:
            return batch.JobStateTimeLimitAction(
                action=batch.JobStateTimeLimitActionsAction.CANCEL,
                state=batch.JobStateTimeLimitActionsState.RUNNABLE,
                reason=reason,
                max_time=after,
            )

        return batch.JobQueue(
            self,
            id_,
            compute_environments=[
                batch.OrderedComputeEnvironment(compute_environment=environment, order=order)
                for order, environment in enumerate(environments, start=1)
            ],
            job_state_time_limit_actions=[
                # What asks for more than there can ever be would stand before all others for ever.
                cancel(batch.JobStateTimeLimitActionsReason.JOB_RESOURCE_REQUIREMENT, Duration.minutes(10)),
                cancel(batch.JobStateTimeLimitActionsReason.COMPUTE_ENVIRONMENT_MAX_RESOURCE, Duration.minutes(10)),
                # A day without Spot and on-demand instances alike, in two zones and several families.
                cancel(batch.JobStateTimeLimitActionsReason.INSUFFICIENT_INSTANCE_CAPACITY, Duration.hours(24)),
            ],
        )

    # -- what runs

    def _image(self, image: str | None, architecture: str) -> ecs.ContainerImage:
        if image is not None:
            return ecs.ContainerImage.from_registry(image)
        arm = architecture == "arm64"
        ignored = (ROOT / f"{DOCKERFILE}.dockerignore").read_text(encoding="utf-8").splitlines()
        return ecs.ContainerImage.from_docker_image_asset(
            ecr_assets.DockerImageAsset(
                self,
                "Image",
                directory=str(ROOT),  # the function's imaging module lies outside of containers/batch
                file=DOCKERFILE,
                exclude=[line for line in ignored if not line.startswith("#")],
                ignore_mode=IgnoreMode.DOCKER,
                platform=ecr_assets.Platform.LINUX_ARM64 if arm else ecr_assets.Platform.LINUX_AMD64,
            )
        )

    def _job(
        self,
        id_: str,
        *,
        image: ecs.ContainerImage,
        log_group: logs.LogGroup,
        job_role: iam.Role,
        environment: dict[str, str],
    ) -> batch.EcsJobDefinition:
        temporary = batch.LinuxParameters(self, "Linux")
        # For the sockets between the job and its decoders; nothing else is written on the disk.
        temporary.add_tmpfs(batch.Tmpfs(container_path="/tmp", size=Size.mebibytes(64)))  # noqa: S108
        container = batch.EcsEc2ContainerDefinition(
            self,
            "Container",
            image=image,
            cpu=VCPUS,
            memory=Size.mebibytes(MEMORY_MIB),
            command=["--keys", "Ref::keys", "--children", "Ref::children"],
            environment=environment,
            job_role=job_role,
            execution_role=self._execution_role(),
            readonly_root_filesystem=True,
            linux_parameters=temporary,
            logging=ecs.LogDriver.aws_logs(
                stream_prefix="job",
                log_group=log_group,
                mode=ecs.AwsLogDriverMode.NON_BLOCKING,  # pictures do not wait for lines
            ),
        )
        retry, leave = batch.Action.RETRY, batch.Action.EXIT
        return batch.EcsJobDefinition(
            self,
            id_,
            container=container,
            parameters={"keys": "*", "children": "1"},
            timeout=LONGEST,
            propagate_tags=True,
            retry_attempts=ATTEMPTS,
            retry_strategies=[
                batch.RetryStrategy.of(retry, batch.Reason.SPOT_INSTANCE_RECLAIMED),
                # The job hears of it before Batch does, and ends by itself. Batch retries nothing that a person has
                # terminated, or that took too long.
                batch.RetryStrategy.of(retry, batch.Reason.custom(on_exit_code=STOPPED)),
                # Or Batch would retry whatever is not named above, bugs too.
                batch.RetryStrategy.of(leave, batch.Reason.custom(on_reason="*")),
            ],
        )

    def _execution_role(self) -> iam.Role:
        role = iam.Role(self, "ExecutionRole", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
        acknowledge(role, "AwsSolutions-IAM5[Resource::*]", "ecr:GetAuthorizationToken knows no resources.")
        return role

    def _job_role(self, pictures: s3.Bucket, made: s3.Bucket) -> iam.Role:
        role = iam.Role(self, "JobRole", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
        # By hand: grant_read and grant_put give a dozen more actions, by wildcard. Nothing may be deleted.
        for actions, resources in (
            (["s3:GetObject"], [pictures.arn_for_objects("*")]),
            (["s3:ListBucket"], [pictures.bucket_arn, made.bucket_arn]),
            (["s3:PutObject"], [made.arn_for_objects("thumbnails/*"), made.arn_for_objects("manifests/*")]),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
        for bucket, keys in ((pictures, "*"), (made, "thumbnails/*"), (made, "manifests/*")):
            name = self.get_logical_id(cast("s3.CfnBucket", bucket.node.default_child))
            acknowledge(
                role,
                f"AwsSolutions-IAM5[Resource::<{name}.Arn>/{keys}]",
                "The keys of the pictures, and so of what is made of them, are known only when the job runs.",
            )
        return role

    def _empty_buckets_last(
        self, buckets: list[s3.Bucket], environments: list[batch.ManagedEc2EcsComputeEnvironment]
    ) -> None:
        # A stack is deleted in the reverse order of its dependencies. Without these, a job that is still running could
        # write into a bucket that has just been emptied.
        if self._removal is RemovalPolicy.DESTROY:
            for environment in environments:
                environment.node.add_dependency(
                    *(bucket.node.find_child("AutoDeleteObjectsCustomResource") for bucket in buckets)
                )

    # -- what becomes of them

    def _collect_failures(self, queue: batch.JobQueue, failed: sqs.Queue) -> None:
        for id_, kind, detail in (
            ("Failed", "Batch Job State Change", {"status": ["FAILED"]}),
            ("Blocked", "Batch Job Queue Blocked", {}),  # a job that stays RUNNABLE, and all behind it
        ):
            events.Rule(
                self,
                id_,
                event_pattern=events.EventPattern(
                    source=["aws.batch"], detail_type=[kind], detail={"jobQueue": [queue.job_queue_arn], **detail}
                ),
                targets=[events_targets.SqsQueue(failed)],
            )

    def _alarm(self, failed: sqs.Queue) -> cloudwatch.Alarm:
        return failed.metric_approximate_number_of_messages_visible(
            period=Duration.minutes(5), statistic="Maximum"
        ).create_alarm(
            self,
            "FailedJobsAlarm",
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"{self.stack_name}: FailedJobs. What to do: docs/batch.md, 'Watch it'.",
        )

    def _nightly(
        self, schedule: str, queue: batch.JobQueue, job: batch.EcsJobDefinition, *, children: int, failed: sqs.Queue
    ) -> None:
        role = scheduler_role(self, "SchedulerRole")
        fired = scheduler.Schedule(
            self,
            "Schedule",
            schedule=scheduler.ScheduleExpression.expression(schedule, TimeZone.ETC_UTC),
            target=targets.Universal(
                service="batch",
                action="submitJob",
                role=role,
                dead_letter_queue=failed,
                policy_statements=[
                    iam.PolicyStatement(
                        actions=["batch:SubmitJob"], resources=[queue.job_queue_arn, job.job_definition_arn]
                    )
                ],
                input=scheduler.ScheduleTargetInput.from_object(
                    {
                        "JobName": "scheduled",
                        "JobQueue": queue.job_queue_arn,
                        "JobDefinition": job.job_definition_arn,
                        "ArrayProperties": {"Size": children},
                        "Parameters": {"keys": "*", "children": str(children)},
                    }
                ),
            ),
        )
        fired.node.add_dependency(role)  # a rate fires at once

    def _budget(self, dollars: int, email: str) -> None:
        # Of the whole account: the tags of an example count only once they are activated in the billing console.
        subscriber = budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=email)
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=dollars, unit="USD"),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[subscriber],
                )
                for kind, percent in (("FORECASTED", 80), ("ACTUAL", 100))
            ],
        )
