"""The page of the batch example: run a job, kill its children, and resume it."""

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from console.account import ERRORS, LocalAccount
from console.array_jobs import MAX_PICTURES, RunningJob, list_objects
from console.examples import Example
from console.live import Fragments
from console.page import Action, ActionError, ExamplePage, Form
from console.stored_objects import object_response
from local.batch import KEY_PREFIX
from local.batch_job import ArrayJob
from scripts.manifests import OUTCOMES
from scripts.submit import reason_against_keys

CHILDREN = range(1, 5)
"""The allowed numbers of children on this machine."""
NEWEST = 24
"""The page shows this number of thumbnails."""
NEWEST_JOBS = 50
JOB_DAYS = 7
"""AWS Batch keeps a job for at least seven days after its end.
https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html"""
STATE_CLASSES = {"running": "warm", "succeeded": "good", "SUCCEEDED": "good", "killed": "bad", "failed": "bad"}
CACHE_SECONDS = 60
"""A job can make a thumbnail again under the same key, but with the same content."""


class Page(ExamplePage):
    """The page of the batch example."""

    template: ClassVar[str] = "batch.html"

    def __init__(self, console: Any) -> None:
        """`console` gives access to the account and to the templates."""
        super().__init__(console)
        self._job: RunningJob | None = None
        self._lock = threading.Lock()

    def values(self, example: Example) -> Mapping[str, Any]:
        """Return the first values of the form."""
        del example
        return {"children": CHILDREN, "keys": f"{KEY_PREFIX}*"}

    def live(self, example: Example) -> Fragments:
        """Return the job, or the newest jobs of a real account, and the newest thumbnails."""
        self._outputs = example.outputs
        folder = self._job.thumbnails_prefix if self._job else example.outputs["ThumbnailsFolder"]
        found, has_more = list_objects(self.account.client("s3"), example.outputs["OutputBucketName"], folder)
        newest = sorted(found, key=lambda item: item["LastModified"], reverse=True)[:NEWEST]
        return {
            "job": self._local_job(example, {item["Key"] for item in found}) if self.account.is_local else self._jobs(),
            "count": self.render(
                "_batch_count.html", number=len(found), shown=len(newest), has_more=has_more, maximum=MAX_PICTURES
            ),
            "thumbnails": {
                hashlib.sha256(f"{item['Key']} {item['ETag']}".encode()).hexdigest()[:16]: self.render(
                    "_batch_thumbnail.html", key=item["Key"], name=_picture_of(item["Key"], example)
                )
                for item in newest
            },
        }

    def actions(self) -> Mapping[str, Action]:
        """Return the actions that run, kill and resume a job."""
        return {"submit": Action(self._submit), "kill": Action(self._kill), "resume": Action(self._resume)}

    def routes(self) -> Sequence[BaseRoute]:
        """Return the route of the thumbnails."""
        return [Route("/examples/batch/thumbnails", self._thumbnail)]

    def close(self) -> None:
        """End the processes of the job."""
        with self._lock:
            if self._job:
                self._job.close()

    def _local_job(self, example: Example, thumbnails: set[str]) -> str:
        job = self._job
        children = []
        for child in job.children if job else []:
            done = len(child.thumbnails & thumbnails)
            children.append((child, STATE_CLASSES[child.state], done, job.totals.get(child.index, {}) if job else {}))
        return self.render("_batch_job.html", example=example, job=job, children=children, outcomes=OUTCOMES)

    def _jobs(self) -> str:
        since = str(round((time.time() - JOB_DAYS * 24 * 3600) * 1000))
        answer = self.account.client("batch").list_jobs(
            jobQueue=self.outputs()["JobQueueArn"],
            filters=[{"name": "AFTER_CREATED_AT", "values": [since]}],  # then Batch returns jobs in all states
            maxResults=NEWEST_JOBS,
        )
        jobs = [
            {**job, "created": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(job["createdAt"] / 1000))}
            for job in answer["jobSummaryList"]
        ]
        return self.render("_batch_jobs.html", jobs=jobs, has_more="nextToken" in answer, days=JOB_DAYS)

    def _submit(self, example: Example, form: Form) -> str:
        keys, children = form.get("keys", ""), form.get("children", "")
        if reason := reason_against_keys(keys):
            raise ActionError(f"The pattern {reason}")
        if children not in map(str, CHILDREN):
            raise ActionError(f"Choose {CHILDREN[0]} to {CHILDREN[-1]} children.")
        if not isinstance(self.account, LocalAccount):
            raise ActionError("The console submits no jobs in a real account.")
        with self._lock:
            if self._job and self._job.is_running:
                raise ActionError("A job is running. Wait until it ends, or kill it.")
            job = ArrayJob(
                client=self.account.client,
                environment=self.account.aws.environment(self.account.engine),
                outputs=example.outputs,
                keys=keys,
                children=int(children),
            )
            running = RunningJob(job)
            if not running.pictures:
                raise ActionError(f"No picture in the bucket has a key like {keys}.")
            if "again" in form:
                running.delete_thumbnails()
            running.start()
            self._job = running
        return f"The job runs with {children} {'child' if children == '1' else 'children'}."

    def _kill(self, example: Example, form: Form) -> str:
        del example, form
        with self._lock:
            if self._job is None or not self._job.is_running:
                raise ActionError("No job is running.")
            self._job.kill()
        return "All children are killed. Their thumbnails remain, so the next attempt continues."

    def _resume(self, example: Example, form: Form) -> str:
        del example, form
        with self._lock:
            if self._job is None:
                raise ActionError("There is no job to resume. Run one first.")
            if self._job.is_running:
                raise ActionError("The job is still running.")
            self._job.start()
            return f"Attempt {self._job.attempt} of the job runs. It skips the pictures that have a thumbnail."

    def _thumbnail(self, request: Request) -> Response:
        try:
            key, outputs = request.query_params.get("key", ""), self.outputs()
            if not key.startswith(outputs["ThumbnailsFolder"]):
                return PlainTextResponse("This is not the key of a thumbnail.\n", status_code=404)
            s3 = self.account.client("s3")
            return object_response(s3, outputs["OutputBucketName"], key, "image/webp", seconds=CACHE_SECONDS)
        except ERRORS as error:
            return PlainTextResponse(f"{self.account.explanation(error)}\n", status_code=503)


def _picture_of(key: str, example: Example) -> str:
    # The name of a thumbnail is the encoded key of its picture, and the ETag of its picture.
    return key.removeprefix(example.outputs["ThumbnailsFolder"]).rpartition("!")[0]
