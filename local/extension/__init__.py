"""What ministack lacks, or drops without a word, and the examples need. Nothing here may change what AWS would accept.

Every mend has a test in tests/test_local_extension.py, or beside it, that fails when a newer ministack no longer needs
it. Everything runs in the engine's own process, and nothing outside this package knows the engine's insides.
"""

from local.extension.alarms import take_alarms_on_expressions
from local.extension.functions import make_no_log_groups, run_foreign_bundles, runnable
from local.extension.gateway import tell_functions_the_api_key, treat_loopback_as_encrypted, validate_request_bodies
from local.extension.schedules import (
    fill_in_what_a_schedule_tells,
    hurry_schedules,
    retry_what_a_schedule_invokes,
)
from local.extension.storage import keep_bucket_tags

__all__ = ["extend", "fill_in_what_a_schedule_tells", "retry_what_a_schedule_invokes", "runnable"]


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
