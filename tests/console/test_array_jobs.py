"""These tests compare the console's division of the pictures with the division of the job. moto imitates S3."""

import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from batch.buckets import Buckets
from batch.division import Division
from batch.failures import repetition
from batch.keys import thumbnail_name
from console import array_jobs
from console.array_jobs import RunningJob
from local.batch_job import ArrayJob

OUTPUTS = {"InputBucketName": "input", "OutputBucketName": "output", "ThumbnailsFolder": "thumbnails/64/"}
PREFIX, PICTURES = "holiday/", 20


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield a client of a local S3 with pictures. The ranges are small."""
    for keys in ("batch.keys", "console.array_jobs.keys_of_batch"):
        monkeypatch.setattr(f"{keys}.KEYS_PER_RANGE", 2)
        monkeypatch.setattr(f"{keys}.RANGES_PER_CHILD", 3)
    with mock_aws():
        client = boto3.Session("test", "test", region_name="us-east-1").client("s3")
        for name in ("InputBucketName", "OutputBucketName"):
            client.create_bucket(Bucket=OUTPUTS[name])
        for key in ("a.jpg", "z.jpg", *(f"{PREFIX}{number:02}.jpg" for number in range(PICTURES))):
            client.put_object(Bucket=OUTPUTS["InputBucketName"], Key=key, Body=b"x")
        yield client


def _job(s3: Any, children: int) -> RunningJob:
    return RunningJob(
        ArrayJob(client=lambda _: s3, environment={}, outputs=OUTPUTS, keys=f"{PREFIX}*", children=children)
    )


def _thumbnails_of_each_child(s3: Any, children: int) -> list[set[str]]:
    """Return the keys of the thumbnails that each child makes. The program of the job divides the pictures."""
    stopping = threading.Event()
    repeat = repetition(stopping)
    buckets = Buckets(s3, repeat, pictures="input", thumbnails="output", folder=OUTPUTS["ThumbnailsFolder"])
    division = Division(s3, repeat, buckets, bucket="output", key="ranges.jsonl", stopping=stopping)
    shares = [division.share(PREFIX, child=child, children=children) for child in range(children)]
    return [
        {
            OUTPUTS["ThumbnailsFolder"] + thumbnail_name(picture.key, picture.etag)
            for keys in share.ranges
            for picture in buckets.pictures(PREFIX, keys)
            if share.contains(picture.key)
        }
        for share in shares
    ]


@pytest.mark.parametrize("children", [1, 2, 4])
def test_the_page_counts_the_thumbnails_that_each_child_makes(s3: Any, children: int) -> None:
    job = _job(s3, children)
    assert [child.thumbnails for child in job.children] == _thumbnails_of_each_child(s3, children)
    assert sum(len(child.thumbnails) for child in job.children) == job.pictures == PICTURES


def test_if_there_are_too_many_pictures_the_page_counts_the_first_ones(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_jobs, "MAX_PICTURES", 5)
    job = _job(s3, 4)
    assert (job.pictures, job.has_more) == (5, True)
    first = sorted(set.union(*_thumbnails_of_each_child(s3, 4)))[:5]
    made = [thumbnails & set(first) for thumbnails in _thumbnails_of_each_child(s3, 4)]
    assert [child.thumbnails for child in job.children] == made


def test_the_pictures_are_listed_once(s3: Any) -> None:
    requests: list[str] = []
    s3.meta.events.register("before-call.s3.*", lambda model, **_: requests.append(model.name))
    _job(s3, 2)
    assert requests == ["ListObjectsV2"], "a bucket can have many pages, so RunningJob must read its list only once"
