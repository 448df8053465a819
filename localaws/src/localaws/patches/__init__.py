"""What ministack lacks, or drops without a word, and the examples need. Nothing here may change what AWS would accept.

Every mend has a test in localaws/tests that fails when a newer ministack no longer needs
it. Everything runs in the engine's own process, and nothing outside this package knows the engine's insides.
"""

from localaws.patches.apigateway import tell_functions_the_api_key, treat_loopback_as_encrypted, validate_request_bodies
from localaws.patches.batch import add_batch_types, add_recorded_examples
from localaws.patches.cloudwatch import take_alarms_on_expressions
from localaws.patches.ec2 import add_network_types, know_machine_images
from localaws.patches.ecr import ask_permission_for_the_repository, digest_of, keep_images_truly
from localaws.patches.ecs import add_cluster_types, keep_what_task_definitions_say, launch_instances_of_groups
from localaws.patches.ecs_tasks import run_tasks
from localaws.patches.elb import check_health_and_take_turns
from localaws.patches.iam import (
    ask_for_versions,
    fire_schedules_as_permitted,
    hide_what_is_missing,
    log_as_permitted,
    record_permissions,
    send_failures_as_permitted,
)
from localaws.patches.lambda_functions import (
    bound_environments,
    log_to_the_last_line,
    make_no_log_groups,
    run_foreign_bundles,
    runnable,
)
from localaws.patches.s3 import keep_bucket_tags
from localaws.patches.scheduler import (
    fill_in_what_a_schedule_tells,
    hurry_schedules,
    retry_what_a_schedule_invokes,
)

__all__ = [
    "digest_of",
    "extend",
    "fill_in_what_a_schedule_tells",
    "log_to_the_last_line",
    "record_permissions",
    "retry_what_a_schedule_invokes",
    "run_foreign_bundles",
    "run_tasks",
    "runnable",
]


def extend(seconds_a_minute: float) -> None:
    """Apply every mend to the ministack of this process, before it serves."""
    treat_loopback_as_encrypted()
    keep_bucket_tags()
    run_foreign_bundles()
    validate_request_bodies()
    take_alarms_on_expressions()
    tell_functions_the_api_key()
    hurry_schedules(seconds_a_minute)
    fill_in_what_a_schedule_tells()
    retry_what_a_schedule_invokes()
    make_no_log_groups()
    log_to_the_last_line()
    bound_environments()
    add_network_types()
    know_machine_images()
    keep_images_truly()
    ask_permission_for_the_repository()
    keep_what_task_definitions_say()
    add_cluster_types()
    launch_instances_of_groups()
    check_health_and_take_turns(seconds_a_minute)
    add_batch_types()
    add_recorded_examples()
    log_as_permitted()
    send_failures_as_permitted()
    fire_schedules_as_permitted()
    hide_what_is_missing()
    ask_for_versions()
