"""An array job makes the thumbnails of a whole bucket, on EC2 instances that AWS Batch starts and terminates."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import CfnOutput, Stack, TimeZone
from aws_cdk import aws_batch as batch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks._alarms import alarm_topic, notify
from stacks._cdk_helpers import add_helper_log_groups
from stacks._network import example_vpc
from stacks._schedules import scheduler_role
from stacks._stores import dead_letter_queue, private_bucket, removal_policy
from stacks.batch_capacity import compute_environments, job_queue
from stacks.batch_job import VCPUS, job_definition
from stacks.batch_watch import add_budget, collect_failures, failure_alarm


class BatchStack(Stack):
    """An input bucket, an output bucket, a job that makes the thumbnails, instances, and a queue for failed jobs."""

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
        max_vcpus: int,
        max_edge: int,
        instance_types: Sequence[str] = (),
        image: str | None = None,
        schedule: str | None = None,
        monthly_budget: int | None = None,
        alarm_email: str | None = None,
        **stack_parameters: Any,
    ) -> None:
        """Add the resources of the example.

        If `instance_types` is empty, Batch chooses among its default types for the `architecture`.

        `schedule` is a rate(...) or cron(...) expression for a job that processes the whole bucket. With None, jobs
        start only when a person submits them. `monthly_budget` is in dollars, for the whole account. A budget needs an
        `alarm_email`.
        """
        description = "Batch: an array job makes the thumbnails of a whole bucket, on Spot instances"
        super().__init__(scope, id, description=description, **stack_parameters)
        removal = removal_policy(retain_data=retain_data)

        pictures = private_bucket(self, "Input", removal=removal, keep_versions=retain_data)
        thumbnails = private_bucket(self, "Output", removal=removal)
        vpc = example_vpc(
            self,
            existing_vpc=existing_vpc,
            private=retain_data,  # only production pays for a NAT gateway
            availability_zones=availability_zones,
            log_retention=log_retention,
        )
        environments = compute_environments(
            self, vpc, architecture=architecture, instance_types=instance_types, max_vcpus=max_vcpus
        )
        queue = job_queue(self, environments)
        job = job_definition(
            self,
            pictures,
            thumbnails,
            image=image,
            architecture=architecture,
            max_edge=max_edge,
            log_group=logs.LogGroup(self, "Logs", retention=log_retention, removal_policy=removal),
        )
        if not retain_data:
            _empty_buckets_after_jobs([pictures, thumbnails], environments)
        failed = dead_letter_queue(self, "FailedJobs", removal=removal)
        collect_failures(self, queue, failed)
        if schedule is not None:
            self._submit_on_schedule(schedule, queue, job, children=max_vcpus // VCPUS, failed=failed)
        if monthly_budget is not None and alarm_email is not None:
            add_budget(self, monthly_budget, alarm_email)
        notify([failure_alarm(self, failed)], alarm_topic(self, alarm_email))
        add_helper_log_groups(self, retention=log_retention)

        CfnOutput(self, "JobQueueArn", value=queue.job_queue_arn)
        CfnOutput(self, "JobDefinitionArn", value=job.job_definition_arn)
        CfnOutput(self, "InputBucketName", value=pictures.bucket_name)
        CfnOutput(self, "OutputBucketName", value=thumbnails.bucket_name)
        # Each size of thumbnails has a folder of its own. The job computes the same name.
        CfnOutput(self, "ThumbnailsFolder", value=f"thumbnails/{max_edge}/")

    def _submit_on_schedule(
        self, schedule: str, queue: batch.JobQueue, job: batch.EcsJobDefinition, *, children: int, failed: sqs.Queue
    ) -> None:
        role = scheduler_role(self, "SchedulerRole")
        submit = iam.PolicyStatement(
            actions=["batch:SubmitJob"], resources=[queue.job_queue_arn, job.job_definition_arn]
        )
        timer = scheduler.Schedule(
            self,
            "Schedule",
            schedule=scheduler.ScheduleExpression.expression(schedule, TimeZone.ETC_UTC),
            target=targets.Universal(
                service="batch",
                action="submitJob",
                role=role,
                dead_letter_queue=failed,
                policy_statements=[submit],
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
        timer.node.add_dependency(role)  # a rate(...) schedule submits its first job immediately


def _empty_buckets_after_jobs(
    buckets: list[s3.Bucket], environments: list[batch.ManagedEc2EcsComputeEnvironment]
) -> None:
    # CloudFormation deletes a stack in the reverse order of its dependencies. Because of these dependencies, it ends
    # all jobs before it empties the buckets. If it emptied a bucket first, a job could write to the bucket again.
    for environment in environments:
        environment.node.add_dependency(
            *(bucket.node.find_child("AutoDeleteObjectsCustomResource") for bucket in buckets)
        )
