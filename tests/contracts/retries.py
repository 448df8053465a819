"""Batch retries a child if the platform failed, but never if the program has a bug. The platform is everything else."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from batch.command import STOPPED
from tools.templates import Template, resources

MAX_STRATEGIES = 5
"""The source: https://docs.aws.amazon.com/batch/latest/APIReference/API_RetryStrategy.html"""
ALLOWED_PATTERNS = {
    "OnExitCode": re.compile(r"[0-9]*\*?"),
    "OnReason": re.compile(r"[A-Za-z0-9.:\s]*\*?"),
    "OnStatusReason": re.compile(r"[A-Za-z0-9.:\s]*\*?"),
}
"""The patterns that Batch accepts: https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html."""


class Failure(NamedTuple):
    """A failed attempt of a child, as Batch describes it."""

    status_reason: str
    reason: str | None = None
    exit_code: int | None = None


NOT_STARTED = "Task failed to start"
EXITED = "Essential container in task exited"
PLATFORM_FAILURES = (
    Failure("Host EC2 (instance i-0123456789abcdef0) terminated."),
    Failure("Host EC2 (instance i-0123456789abcdef0) terminated.", exit_code=137),
    # https://github.com/nextflow-io/nextflow/issues/5099 and https://github.com/spotify/luigi/pull/2808
    Failure(NOT_STARTED, "CannotPullContainerError: context canceled"),
    # https://github.com/RafalWilinski/deploy-with-serverless/issues/11
    Failure(EXITED, "CannotPullContainerError: API error (500)"),
    Failure(NOT_STARTED, "DockerTimeoutError: Could not transition to created; timed out after waiting 4m0s"),
    Failure(NOT_STARTED),
    Failure(EXITED, exit_code=STOPPED),
)
BUGS = (
    *(Failure(EXITED, exit_code=code) for code in (1, 2, 14, 134, 139, 255)),
    Failure(EXITED, "OutOfMemoryError: Container killed due to memory usage", exit_code=137),
)


def faults(template: Template) -> list[str]:
    """Return the failures after which Batch does the wrong thing, and the strategies that Batch does not accept."""
    return [
        fault
        for name, job in resources(template, "AWS::Batch::JobDefinition").items()
        for fault in _job_faults(name, job["Properties"].get("RetryStrategy", {}))
    ]


def _job_faults(name: str, retry: dict[str, Any]) -> Iterator[str]:
    strategies = retry.get("EvaluateOnExit", [])
    if retry.get("Attempts", 1) < 2:
        yield f"{name} has only one attempt, so Batch never retries"
    if len(strategies) > MAX_STRATEGIES:
        yield f"{name} has {len(strategies)} retry strategies, but Batch accepts only {MAX_STRATEGIES}"
    for strategy in strategies:
        for key, pattern in strategy.items():
            if key in ALLOWED_PATTERNS and not ALLOWED_PATTERNS[key].fullmatch(pattern):
                yield f"{name} has the pattern {pattern!r}, which Batch does not accept"
    for failure in PLATFORM_FAILURES:
        if _action(strategies, failure) != "RETRY":
            yield f"{name} is given up after a failure of the platform: {failure}"
    for failure in BUGS:
        if _action(strategies, failure) != "EXIT":
            yield f"{name} is retried after a bug: {failure}"


def _action(strategies: list[dict[str, str]], failure: Failure) -> str:
    """Return the action of the first strategy that matches, as Batch does. Without a match, Batch retries."""
    values = {
        "OnStatusReason": failure.status_reason,
        "OnReason": failure.reason,
        "OnExitCode": None if failure.exit_code is None else str(failure.exit_code),
    }
    for strategy in strategies:
        if all(_matches(strategy[key], value) for key, value in values.items() if key in strategy):
            return strategy["Action"].upper()
    return "RETRY"


def _matches(pattern: str, value: str | None) -> bool:
    # The pattern `*` also matches a missing value. AWS recommends `*` as a last strategy "that exits for any reason".
    # https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html
    if pattern.endswith("*"):
        return (value or "").startswith(pattern[:-1])
    return value == pattern
