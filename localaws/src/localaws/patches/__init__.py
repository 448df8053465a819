"""Patches of ministack, the engine of the local AWS. They change its behaviour where it differs from AWS.

Each file contains the patches of one AWS service. A patch is a function that replaces private functions of ministack in
this process. No patch may accept a template or a request that AWS would reject. Only this package uses private
functions of ministack.

The docstring of each patch has three paragraphs. "Stock engine" describes ministack without the patch, "AWS" describes
the behaviour of AWS, and "Upstream issue" links the issue or pull request of ministack about the difference.
"""

from pathlib import Path

from localaws.function_images import FunctionImages
from localaws.patches import (
    apigateway,
    batch,
    cloudformation,
    cloudformation_waits,
    cloudwatch,
    cloudwatch_alarms,
    cloudwatch_logs,
    cloudwatch_metrics,
    cognito,
    dynamodb,
    ec2,
    ecr,
    ecs,
    ecs_tasks,
    elb,
    iam,
    lambda_events,
    lambda_functions,
    lambda_images,
    lambda_streams,
    s3,
    scheduler,
    websockets,
)
from localaws.patches.ecr import image_digest
from localaws.settings import Settings
from localaws.task_runner import TaskRunner

__all__ = ["apply", "image_digest"]


def apply(  # noqa: PLR0915 - one statement for each patch
    runner: TaskRunner, function_images: FunctionImages, settings: Settings, permissions_file: Path
) -> None:
    """Apply every patch to ministack in this process. Call this function before ministack accepts requests.

    `runner` runs ECS tasks, and `function_images` runs image functions. The engine writes the permissions that roles
    use into `permissions_file`. The patches of iam must follow the patches of Lambda and Scheduler, because they
    replace the same functions a second time.
    """
    apigateway.treat_loopback_as_tls()
    apigateway.validate_request_bodies()
    apigateway.pass_api_key_to_functions()
    apigateway.accept_only_id_tokens()
    apigateway.send_denials_as_gateway_responses()
    apigateway.refuse_unmapped_paths()
    cognito.refuse_to_delete_protected_pools()
    cognito.lock_after_wrong_passwords()
    cognito.limit_sign_ins(settings.sign_ins_per_second)
    cognito.refuse_sign_up()
    websockets.keep_default_route_for_messages()
    websockets.invoke_functions_as_usual()
    websockets.require_permission_to_invoke()
    websockets.add_route_responses()  # after the patches with failures, which it turns into messages
    websockets.describe_connections()
    websockets.refuse_unknown_stages()
    s3.store_bucket_tags()
    s3.store_bucket_rules()
    s3.refuse_to_delete_full_buckets()
    dynamodb.refuse_to_delete_protected_tables()
    dynamodb.store_table_settings()
    dynamodb.keep_replaced_tables()
    dynamodb.refuse_index_changes()
    dynamodb.delete_old_stream_records()
    cloudwatch.accept_metric_math_alarms()
    _apply_to_functions(function_images)
    cloudwatch_metrics.store_values_by_minute()
    cloudwatch_metrics.read_metrics_without_dimensions()
    cloudwatch_metrics.store_metrics_in_logs()
    cloudwatch_metrics.store_metrics_of_functions()
    cloudwatch_metrics.store_metrics_of_apis()
    cloudwatch_alarms.evaluate_alarms()
    cloudwatch_logs.delete_old_events()
    scheduler.shorten_minutes(settings.seconds_per_minute)
    scheduler.replace_context_attributes()
    scheduler.retry_scheduled_invocations()
    ec2.add_network_types()
    ec2.add_machine_images()
    ecr.report_missing_images()
    ecr.evaluate_repository_arn()
    ecs.keep_task_definition_properties()
    ecs.add_cluster_types()
    ecs.add_group_instances()
    elb.check_target_health(settings.seconds_per_minute)
    elb.refuse_to_delete_protected_balancers()
    elb.write_test_file()
    batch.add_batch_types()
    batch.describe_requested_definitions()
    cloudformation.add_stored_types()
    cloudformation.refuse_missing_references()
    cloudformation.refuse_names_in_use()
    cloudformation.keep_undeleted_resources()
    cloudformation_waits.answer_after_operations()
    iam.require_permission_to_log()
    iam.require_permission_to_send_failures()
    iam.require_permission_to_invoke_scheduled_functions()
    iam.hide_missing_objects()
    iam.require_permission_to_delete_versions()
    iam.record_permissions(permissions_file)
    ecs_tasks.run_tasks(runner)


def _apply_to_functions(images: FunctionImages) -> None:
    lambda_functions.run_bundles_for_other_processors()
    lambda_functions.keep_last_log_lines()
    lambda_functions.limit_environments()
    lambda_functions.finish_running_invocations()
    lambda_images.run_image_functions(images)
    lambda_images.refuse_missing_images(images, image_digest)
    lambda_images.pull_images_early(images)
    websockets.replace_management_endpoint()
    lambda_events.queue_asynchronous_events()
    lambda_events.invoke_functions_of_topics_asynchronously()
    lambda_streams.retry_failed_records()
