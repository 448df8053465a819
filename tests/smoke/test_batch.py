"""These tests upload pictures to the deployed batch example, run a job, and read the thumbnails.

They run in an account, or in the local AWS, a program that imitates AWS on this machine.
"""

import io
import os
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from PIL import Image

from local.batch_job import ArrayJob
from local.project import PHOTO
from scripts import submit
from scripts.manifests import OUTCOMES, last_attempts, show_manifests
from tests.handlers.thumbnail import hostile, pictures
from tests.support.deployment import Deployment
from tests.support.keys import ODD_KEYS

pytestmark = pytest.mark.timeout(3600)  # in an account, AWS must start an instance first
CHILDREN = 2
REJECTED = {"letter.jpg": b"Dear Sir or Madam", "empty.jpg": b"", "folder/": b"", "bomb.png": hostile.bomb("PNG")}
"""Objects that are not pictures, or that have too many pixels."""


@dataclass
class BatchExample:
    """The buckets of the example, and methods that run jobs. All keys have a prefix that only this test uses."""

    deployment: Deployment
    environment: dict[str, str] | None
    """The environment variables for the local AWS, where the test runs the job as processes. None in an account."""
    prefix: str = field(default_factory=lambda: f"smoke-{uuid.uuid4()}/")

    def __post_init__(self) -> None:
        self.s3 = self.deployment.client("s3")
        self.outputs = self.deployment.outputs("batch")
        self.folder = f"{self.outputs['ThumbnailsFolder']}{self.prefix}"

    def put(self, name: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.outputs["InputBucketName"], Key=self.prefix + name, Body=body)

    def run_job(self) -> Counter[str]:
        """Run a job, and wait until it ends. Return the number of pictures by outcome."""
        job_id = self._run_on_aws() if self.environment is None else self._run_locally(self.environment)
        assert show_manifests(self.s3, self.outputs["OutputBucketName"], job_id, CHILDREN)
        manifests = last_attempts(self.s3, self.outputs["OutputBucketName"], f"manifests/{job_id}/")
        return Counter({outcome: sum(one[outcome] for one in manifests.values()) for outcome in OUTCOMES})

    def _run_on_aws(self) -> str:
        batch = self.deployment.client("batch")
        job_id = submit.submit_job(batch, self.outputs, f"{self.prefix}*", CHILDREN)
        assert submit.follow_job(batch, job_id)
        return job_id

    def _run_locally(self, environment: dict[str, str]) -> str:
        job = ArrayJob(
            client=self.deployment.client,
            environment=environment,
            outputs=self.outputs,
            keys=f"{self.prefix}*",
            children=CHILDREN,
        )
        with job.running_children() as children:
            for child in children:
                output = child.communicate()[0]
                assert child.returncode == 0, output
        return job.id

    def thumbnails(self) -> dict[str, bytes]:
        """Return the thumbnails of this test. The keys of the dictionary are S3 keys."""
        bucket = self.outputs["OutputBucketName"]
        page = self.s3.list_objects_v2(Bucket=bucket, Prefix=self.folder)
        keys = [one["Key"] for one in page.get("Contents", [])]
        return {key: self.s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def delete_objects(self) -> None:
        for bucket, prefix in (
            (self.outputs["InputBucketName"], self.prefix),
            (self.outputs["OutputBucketName"], self.folder),
        ):
            for one in self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
                self.s3.delete_object(Bucket=bucket, Key=one["Key"])


def longest_edge(picture: bytes) -> int:
    """Return the longest edge of a picture, in pixels."""
    return max(Image.open(io.BytesIO(picture)).size)


@pytest.fixture
def example(deployment: Deployment, request: pytest.FixtureRequest) -> Iterator[BatchExample]:
    environment: dict[str, str] | None = None
    if not request.config.getoption("--live"):
        environment = request.getfixturevalue("local_aws").environment(request.getfixturevalue("engine"))
    elif "AWS_ENDPOINT_URL" in os.environ:  # in spite of --live, this variable leads to the local AWS
        environment = dict(os.environ)
    example = BatchExample(deployment, environment)
    yield example
    example.delete_objects()


def test_a_job_makes_only_missing_and_outdated_thumbnails(example: BatchExample) -> None:
    for key in ODD_KEYS:
        example.put(key, pictures.jpeg())
    example.put("coffee.jpg", PHOTO.read_bytes())
    for key, body in REJECTED.items():
        example.put(key, body)
    pictures_count = len(ODD_KEYS) + 1
    assert example.run_job() == {"made": pictures_count, "skipped": 0, "rejected": len(REJECTED), "failed": 0}
    thumbnails = example.thumbnails()
    assert len(thumbnails) == pictures_count
    max_edge = int(example.outputs["ThumbnailsFolder"].split("/")[1])
    expected_edges = {min(max_edge, longest_edge(body)) for body in (pictures.jpeg(), PHOTO.read_bytes())}
    assert {Image.open(io.BytesIO(body)).format for body in thumbnails.values()} == {"WEBP"}
    assert {longest_edge(body) for body in thumbnails.values()} == expected_edges

    example.put("coffee.jpg", pictures.jpeg())  # this replaces the photo
    assert example.run_job() == {"made": 1, "skipped": pictures_count - 1, "rejected": len(REJECTED), "failed": 0}
    assert thumbnails.items() <= example.thumbnails().items()
