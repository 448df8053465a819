"""Submit an array job to the batch example, print its progress and show its results."""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from config import PROFILES
from scripts.aws_errors import explain
from scripts.manifests import show_manifests

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_batch.type_defs import JobDetailTypeDef, JobSummaryTypeDef

POLL_SECONDS = 5
"""Seconds between two checks of the progress. Batch needs two or three minutes to start an instance."""
ALLOWED_CHILDREN = range(1, 10_001)
"""The allowed numbers of children.
https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html"""
DEFAULT_CHILDREN = 2
"""The smallest array job. It fits the default of the setting batch_max_vcpus, and the quotas of a new account."""
MAX_EXPLAINED = 5
"""Maximum number of failed children whose reason is printed. Usually all children have the same reason."""
STATES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")


def stack_outputs(prefix: str) -> dict[str, str]:
    """Return the outputs of the deployed stack. Exit with an error if no stack exists. Raises botocore's errors."""
    name = f"{prefix}-batch"
    try:
        (stack,) = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            sys.exit(
                f"error: {name} does not exist in this account and region. "
                f"Deploy it with the same PROFILE and PREFIX: make deploy STACK={name}"
            )
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def reason_against_keys(keys: str) -> str | None:
    """Return why `keys` does not select pictures by the beginning of their keys, or None if it does."""
    if keys.endswith("*") and keys.count("*") == 1:
        return None
    return (
        f"{keys!r} is not valid. Use one *, at the end, as in holiday/*, "
        "because S3 can only list keys by their beginning."
    )


def submit_job(batch: "BatchClient", deployed: dict[str, str], keys: str, children: int) -> str:
    """Submit a job for the pictures whose keys match `keys` (such as `holiday/*`). Return the job's id.

    Raises botocore's errors.
    """
    # An array needs at least two children. A job with one child has no array.
    array: dict[str, Any] = {"arrayProperties": {"size": children}} if children > 1 else {}
    job = batch.submit_job(
        jobName="thumbnails",
        jobQueue=deployed["JobQueueArn"],
        jobDefinition=deployed["JobDefinitionArn"],
        parameters={"keys": keys, "children": str(children)},
        **array,
    )
    return job["jobId"]


def follow_job(batch: "BatchClient", job_id: str) -> bool:
    """Print each change of the job's progress until the job ends. Return True if the job succeeded.

    Raises botocore's errors.
    """
    printed = ""
    with Console().status("waiting for Batch"):  # in a terminal, this line moves. In a pipe or a file it is not there
        while True:
            for job in batch.describe_jobs(jobs=[job_id])["jobs"]:  # the list is empty until Batch has stored the job
                progress = _progress(job)
                if progress != printed:
                    print(f"    {time.strftime('%H:%M:%S')}  {progress}", flush=True)
                    printed = progress
                if job["status"] in ("SUCCEEDED", "FAILED"):
                    return job["status"] == "SUCCEEDED"
            time.sleep(POLL_SECONDS)


def print_failure_reasons(batch: "BatchClient", job_id: str, children: int) -> None:
    """Print the reasons that Batch reports for failed children. A child that never ran has no manifest with a reason.

    Raises botocore's errors.
    """
    failed: Sequence[JobSummaryTypeDef | JobDetailTypeDef]
    if children > 1:
        failed = batch.list_jobs(arrayJobId=job_id, jobStatus="FAILED", maxResults=MAX_EXPLAINED)["jobSummaryList"]
    else:
        failed = batch.describe_jobs(jobs=[job_id])["jobs"]
    for job in failed:
        child, container = job.get("arrayProperties", {}).get("index", 0), job.get("container", {})
        exit_code = f"exit code {container['exitCode']}" if "exitCode" in container else None
        reasons = [job.get("statusReason"), exit_code, container.get("reason")]
        print(f"        child {child} failed: {'; '.join(filter(None, reasons)) or 'Batch gives no reason'}")


def _progress(job: "JobDetailTypeDef") -> str:
    counts = job.get("arrayProperties", {}).get("statusSummary", {})
    if any(counts.values()):
        return ", ".join(f"{counts[state]} {state.lower()}" for state in STATES if counts.get(state))
    reason = job.get("statusReason")
    return job["status"].lower() + (f": {reason}" if reason else "")


def main() -> int:
    """Return 0 if the job has processed every picture, 130 after Ctrl-C, and 1 otherwise. Exit with 1 if AWS fails."""
    arguments = _arguments()
    running_job = None
    try:
        batch, deployed = boto3.client("batch"), stack_outputs(arguments.prefix or PROFILES[arguments.profile]().prefix)
        running_job = job_id = submit_job(batch, deployed, arguments.keys, arguments.children)
        print(f"==> submitted {job_id}: {arguments.keys}, {arguments.children} children")
        succeeded = follow_job(batch, job_id)
        running_job = None
        if not succeeded:
            print("==> reasons from Batch")
            print_failure_reasons(batch, job_id, arguments.children)
        print("==> results of the children")
        all_processed = show_manifests(boto3.client("s3"), deployed["OutputBucketName"], job_id, arguments.children)
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: {explain(error)}{_next_commands(running_job)}")
    except KeyboardInterrupt:
        print(f"\nThe progress is not shown any more.{_next_commands(running_job)}")
        return 130
    return 0 if succeeded and all_processed else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--profile", default="sandbox", choices=PROFILES, help="the profile of the deployment")
    parser.add_argument("--prefix", help="the first part of the stack's name, if config.py has another one")
    parser.add_argument(
        "--keys", default="*", help="holiday/* selects the keys that begin with holiday/, * selects all keys"
    )
    parser.add_argument("--children", type=int, default=DEFAULT_CHILDREN, help="number of children that share the work")
    arguments = parser.parse_args()
    if arguments.children not in ALLOWED_CHILDREN:
        parser.error(
            f"--children {arguments.children} is out of range. Use {ALLOWED_CHILDREN[0]} to {ALLOWED_CHILDREN[-1]:,}."
        )
    if reason := reason_against_keys(arguments.keys):
        parser.error(f"--keys {reason}")
    return arguments


def _next_commands(job_id: str | None) -> str:
    if job_id is None:
        return ""
    return (
        f"\nThe job is still running. To see it: aws batch describe-jobs --jobs {job_id}"
        f"\nTo end it: aws batch terminate-job --job-id {job_id} --reason 'no longer wanted'"
    )


if __name__ == "__main__":
    sys.exit(main())
