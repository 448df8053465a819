"""Patches of ministack: behaviour of AWS that it lacks or ignores. No patch may change what AWS would accept.

There is one file for each AWS service. A patch is a function that replaces private functions of ministack in this
process. Its docstring says what the stock engine does, what AWS does, and whether an upstream issue is known. Each
patch has a test in localaws/tests that fails when a newer ministack no longer needs it. Only this package uses
ministack's private functions.
"""

from pathlib import Path

from localaws.patches import (
    apigateway,
    batch,
    cloudformation,
    cloudwatch,
    ec2,
    ecr,
    ecs,
    ecs_tasks,
    elb,
    iam,
    lambda_functions,
    s3,
    scheduler,
)
from localaws.patches.ecr import image_digest
from localaws.task_runner import TaskRunner

__all__ = ["apply", "image_digest"]


def apply(runner: TaskRunner, seconds_per_minute: float, permissions_file: Path) -> None:
    """Apply every patch to the ministack of this process, before it serves.

    `permissions_file` gets the permissions that roles use. The patches of iam come last, because they wrap others.
    """
    apigateway.treat_loopback_as_tls()
    apigateway.validate_request_bodies()
    apigateway.pass_api_key_to_functions()
    s3.store_bucket_tags()
    cloudwatch.accept_metric_math_alarms()
    lambda_functions.run_bundles_for_other_processors()
    lambda_functions.never_recreate_log_groups()
    lambda_functions.keep_last_log_lines()
    lambda_functions.limit_environments()
    scheduler.shorten_minutes(seconds_per_minute)
    scheduler.replace_context_attributes()
    scheduler.retry_scheduled_invocations()
    ec2.add_network_types()
    ec2.add_machine_images()
    ecr.report_missing_images()
    ecr.evaluate_repository_arn()
    ecs.keep_task_definition_properties()
    ecs.add_cluster_types()
    ecs.record_group_instances()
    elb.check_target_health(seconds_per_minute)
    batch.add_batch_types()
    cloudformation.add_recorded_types()
    iam.require_permission_to_log()
    iam.require_permission_to_send_failures()
    iam.require_permission_to_invoke_scheduled()
    iam.hide_missing_objects()
    iam.require_permission_to_delete_versions()
    iam.record_permissions(permissions_file)
    ecs_tasks.run_tasks(runner)
