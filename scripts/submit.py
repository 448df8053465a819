"""Submits an array job to the batch example, follows it, and shows what came of it."""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts.manifests import show_manifests

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_batch.type_defs import JobDetailTypeDef, JobSummaryTypeDef

POLL_SECONDS = 5
"""A job takes minutes; Batch needs two or three of them to start an instance."""
CHILDREN = range(1, 10_001)
"""https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html"""
SHOWN = 5
"""Failed children that are explained; it mostly is the same for all."""
STATES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")


def outputs(prefix: str) -> dict[str, str]:
    """The outputs of the deployed stack. Raises botocore's errors, ClientError too where there is no such stack."""
    (stack,) = boto3.client("cloudformation").describe_stacks(StackName=f"{prefix}-batch")["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def submit(batch: "BatchClient", deployed: dict[str, str], keys: str, children: int) -> str:
    """Submit a job over the keys that begin so (`holiday/*`), and return its id. Raises botocore's errors."""
    array: dict[str, Any] = {"arrayProperties": {"size": children}} if children > 1 else {}  # of one there is none
    submitted = batch.submit_job(
        jobName="thumbnails",
        jobQueue=deployed["JobQueueArn"],
        jobDefinition=deployed["JobDefinitionArn"],
        parameters={"keys": keys, "children": str(children)},
        **array,
    )
    return submitted["jobId"]


def follow(batch: "BatchClient", job_id: str) -> bool:
    """Print the job's progress until it has ended, and say whether it succeeded. Raises botocore's errors."""
    told = ""
    while True:
        for job in batch.describe_jobs(jobs=[job_id])["jobs"]:  # none, while Batch has not heard of it
            progress = _progress(job)
            if progress != told:
                print(f"    {time.strftime('%H:%M:%S')}  {progress}", flush=True)
                told = progress
            if job["status"] in ("SUCCEEDED", "FAILED"):
                return job["status"] == "SUCCEEDED"
        time.sleep(POLL_SECONDS)


def explain(batch: "BatchClient", job_id: str, children: int) -> None:
    """Print why children failed: those that never ran have no manifest to say so. Raises botocore's errors."""
    failed: Sequence[JobSummaryTypeDef | JobDetailTypeDef]
    if children > 1:
        failed = batch.list_jobs(arrayJobId=job_id, jobStatus="FAILED", maxResults=SHOWN)["jobSummaryList"]
    else:
        failed = batch.describe_jobs(jobs=[job_id])["jobs"]
    for job in failed:
        child, container = job.get("arrayProperties", {}).get("index", 0), job.get("container", {})
        code = f"exit code {container['exitCode']}" if "exitCode" in container else None
        words = [job.get("statusReason"), code, container.get("reason")]
        print(f"        child {child} failed: {'; '.join(filter(None, words)) or 'Batch gives no reason'}")


def _progress(job: "JobDetailTypeDef") -> str:
    counts = job.get("arrayProperties", {}).get("statusSummary", {})
    if any(counts.values()):
        return ", ".join(f"{counts[state]} {state.lower()}" for state in STATES if counts.get(state))
    reason = job.get("statusReason")
    return job["status"].lower() + (f": {reason}" if reason else "")


def main() -> int:
    """Exit 0 if every picture is settled; 1 if not, or AWS failed; 130 if somebody looked on no longer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefix", default="compute", help="the deployment's")
    parser.add_argument("--keys", default="*", help="holiday/* for what begins so, * for all")
    parser.add_argument("--children", type=int, default=4, help="how many share the work")
    arguments = parser.parse_args()
    if arguments.children not in CHILDREN:
        parser.error(f"--children {arguments.children}: {CHILDREN[0]} to {CHILDREN[-1]:,}")
    if not arguments.keys.endswith("*") or arguments.keys.count("*") > 1:
        parser.error(f"--keys {arguments.keys!r} is not like holiday/* or *: S3 lists by what keys begin with")
    followed = None
    try:
        batch, deployed = boto3.client("batch"), outputs(arguments.prefix)
        followed = job_id = submit(batch, deployed, arguments.keys, arguments.children)
        print(f"==> submitted {job_id}: {arguments.keys}, {arguments.children} children")
        succeeded = follow(batch, job_id)
        followed = None
        if not succeeded:
            print("==> what Batch says")
            explain(batch, job_id, arguments.children)
        print("==> what the children say")
        settled = show_manifests(boto3.client("s3"), deployed["OutputBucketName"], job_id, arguments.children)
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: {error}{_goes_on(followed)}")
    except KeyboardInterrupt:
        print(f"\nno longer followed.{_goes_on(followed)}")
        return 130
    return 0 if succeeded and settled else 1


def _goes_on(job_id: str | None) -> str:
    if job_id is None:
        return ""
    return (
        f"\nThe job goes on; to look at it: aws batch describe-jobs --jobs {job_id}"
        f"\nTo end it: aws batch terminate-job --job-id {job_id} --reason 'no longer wanted'"
    )


if __name__ == "__main__":
    sys.exit(main())
