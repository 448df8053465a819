"""The deployed batch example, tried as a user would: pictures in, a job, thumbnails out."""

import io
import os
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from PIL import Image

from local.jobs import ArrayJob
from local.thumbnail import PHOTO
from scripts import submit
from scripts.manifests import OUTCOMES, last_attempts, show_manifests
from tests.handlers.thumbnail import pictures
from tests.support.deployment import Deployment
from tests.support.keys import ODD_KEYS

pytestmark = pytest.mark.timeout(3600)  # an account starts an instance for it, or waits for one
CHILDREN = 2


@dataclass
class Example:
    """The buckets, under a prefix of this run alone, and a way to run jobs."""

    deployment: Deployment
    environment: dict[str, str] | None
    """Leads to the local AWS, which runs no job; None for AWS itself."""
    prefix: str = field(default_factory=lambda: f"smoke-{uuid.uuid4()}/")

    def __post_init__(self) -> None:
        self.s3 = self.deployment.client("s3")
        self.outputs = self.deployment.outputs("batch")

    def put(self, name: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.outputs["InputBucketName"], Key=self.prefix + name, Body=body)

    def run(self) -> Counter[str]:
        """Run a job to its end: how many pictures had which outcome."""
        keys = f"{self.prefix}*"
        if self.environment is None:
            batch = self.deployment.client("batch")
            job_id = submit.submit(batch, self.outputs, keys, CHILDREN)
            assert submit.follow(batch, job_id)
        else:
            job = ArrayJob(
                client=self.deployment.client,
                environment=self.environment,
                deployed=self.outputs,
                keys=keys,
                children=CHILDREN,
            )
            with job.started() as children:
                for child in children:
                    assert (child.communicate()[0], child.returncode)[1] == 0
            job_id = job.id
        assert show_manifests(self.s3, self.outputs["OutputBucketName"], job_id, CHILDREN)
        found = last_attempts(self.s3, self.outputs["OutputBucketName"], f"manifests/{job_id}/")
        return Counter({outcome: sum(one[outcome] for one in found.values()) for outcome in OUTCOMES})

    def thumbnails(self) -> dict[str, bytes]:
        """Every thumbnail of this run's pictures."""
        bucket = self.outputs["OutputBucketName"]
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=f"thumbnails/256/{self.prefix}").get("Contents", [])
        return {one["Key"]: self.s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed}

    def remove(self) -> None:
        for bucket, prefix in (
            (self.outputs["InputBucketName"], self.prefix),
            (self.outputs["OutputBucketName"], f"thumbnails/256/{self.prefix}"),
        ):
            for found in self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
                self.s3.delete_object(Bucket=bucket, Key=found["Key"])


@pytest.fixture
def example(deployment: Deployment, request: pytest.FixtureRequest) -> Iterator[Example]:
    environment: dict[str, str] | None = None
    if not request.config.getoption("--live"):
        environment = request.getfixturevalue("local_aws").environment(request.getfixturevalue("engine"))
    elif "AWS_ENDPOINT_URL" in os.environ:  # the local AWS, standing in for an account
        environment = dict(os.environ)
    example = Example(deployment, environment)
    yield example
    example.remove()


BAD = {"letter.jpg": b"Dear Sir or Madam", "empty.jpg": b"", "folder/": b"", "bomb.png": pictures.bomb("PNG")}


def test_a_job_makes_what_is_missing_and_nothing_else(example: Example) -> None:
    for key in ODD_KEYS:
        example.put(key, pictures.jpeg())
    example.put("coffee.jpg", PHOTO.read_bytes())
    for key, body in BAD.items():
        example.put(key, body)
    made = len(ODD_KEYS) + 1
    assert example.run() == {"made": made, "skipped": 0, "rejected": len(BAD), "failed": 0}
    thumbnails = example.thumbnails()
    assert len(thumbnails) == made
    for body in thumbnails.values():
        shown = Image.open(io.BytesIO(body))
        assert (shown.format, max(shown.size)) == ("WEBP", 256)

    example.put("coffee.jpg", pictures.jpeg())  # replaced
    assert example.run() == {"made": 1, "skipped": made - 1, "rejected": len(BAD), "failed": 0}
    assert thumbnails.items() <= example.thumbnails().items()
