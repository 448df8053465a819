"""What ministack lacks, or drops without a word, and the examples need. Nothing here may change what AWS would accept.

Every mend has a test in tests/local/test_extension.py, or beside it, that fails when a newer ministack no longer needs
it. Everything runs in the engine's own process, and nothing outside this package knows the engine's insides.
"""

from local.extension.alarms import take_alarms_on_expressions
from local.extension.balancing import check_health_and_take_turns
from local.extension.batch import add_batch_types, add_recorded_examples
from local.extension.cluster import add_cluster_types, keep_what_task_definitions_say, launch_instances_of_groups
from local.extension.functions import (
    bound_environments,
    log_to_the_last_line,
    make_no_log_groups,
    run_foreign_bundles,
    runnable,
)
from local.extension.gateway import tell_functions_the_api_key, treat_loopback_as_encrypted, validate_request_bodies
from local.extension.network import add_network_types, know_machine_images
from local.extension.permissions import (
    ask_for_versions,
    fire_schedules_as_permitted,
    hide_what_is_missing,
    log_as_permitted,
    record_permissions,
    send_failures_as_permitted,
)
from local.extension.registry import ask_permission_for_the_repository, digest_of, keep_images_truly
from local.extension.schedules import (
    fill_in_what_a_schedule_tells,
    hurry_schedules,
    retry_what_a_schedule_invokes,
)
from local.extension.storage import keep_bucket_tags
from local.extension.tasks import run_tasks

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


def extend() -> None:
    """Apply every mend to the ministack of this process, before it serves."""
    treat_loopback_as_encrypted()
    keep_bucket_tags()
    run_foreign_bundles()
    validate_request_bodies()
    take_alarms_on_expressions()
    tell_functions_the_api_key()
    hurry_schedules()
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
    check_health_and_take_turns()
    add_batch_types()
    add_recorded_examples()
    log_as_permitted()
    send_failures_as_permitted()
    fire_schedules_as_permitted()
    hide_what_is_missing()
    ask_for_versions()
