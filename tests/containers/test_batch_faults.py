"""The job reads and writes buckets whose answers break off. A real server on this machine breaks the connections."""

import base64
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, FlexibleChecksumError
from tenacity import Retrying, stop_after_attempt, wait_none

from batch.buckets import Buckets
from batch.failures import AWS_ERRORS, repetition
from batch.manifest import PART_BYTES, Manifest
from tests.support.faulty_server import Fault, Request, Response, run_faulty_server
from thumbnail.imaging import Thumbnail
from thumbnail.limits import Limits

LIMITS = Limits(max_edge=64, max_bytes=300_000, max_pixels=1_000_000, max_decoding_bytes=10**8)
CONTENT = bytes(range(256)) * 400
FAULTS: list[Fault] = ["503", "503 cut off", "reset", "cut off", "cut off by reset", "silence"]
NO_THUMBNAIL = Thumbnail(
    data=b"webp", content_type="image/webp", width=1, height=1, source_format="JPEG", source_width=1, source_height=1
)
Answer = Callable[[Request], Response]
Server = Callable[..., AbstractContextManager[tuple[Any, Retrying, list[Request]]]]


def _picture(_request: Request) -> Response:
    return Response(CONTENT, headers={"ETag": '"etag"'})


@pytest.fixture
def server() -> Server:
    """Return a context manager that runs a server. It yields a client of S3, a repetition, and the list of requests."""

    @contextmanager
    def run(
        answer: Answer = _picture, *faults: Fault, stopping: threading.Event | None = None
    ) -> Iterator[tuple[Any, Retrying, list[Request]]]:
        requests: list[Request] = []

        def choose_fault(request: Request) -> Fault | None:
            requests.append(request)
            return faults[request.earlier] if request.earlier < len(faults) else None

        with run_faulty_server(answer, choose_fault) as endpoint:
            s3 = boto3.client(
                "s3",
                endpoint_url=endpoint,
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
                # botocore itself does not repeat requests here. So each fault reaches the job.
                config=Config(read_timeout=0.2, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
            )
            repeat = repetition(stopping or threading.Event())
            repeat.wait = wait_none()
            yield s3, repeat, requests

    return run


def _buckets(s3: Any, repeat: Retrying) -> Buckets:
    return Buckets(s3, repeat, pictures="in", thumbnails="out", folder="thumbnails/64/")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_picture_is_read_again_when_the_answer_breaks_off(server: Server, fault: Fault) -> None:
    with server(_picture, fault, fault) as (s3, repeat, requests):
        assert _buckets(s3, repeat).read("a.jpg", LIMITS) == (CONTENT, "etag")
        assert len(requests) == 3


@pytest.mark.parametrize("fault", FAULTS)
def test_a_picture_that_cannot_be_read_raises_an_error_that_counts_as_a_failure_of_aws(
    server: Server, fault: Fault
) -> None:
    with server(_picture, *[fault] * 3) as (s3, repeat, requests):
        repeat.stop = stop_after_attempt(3)
        with pytest.raises(AWS_ERRORS):
            _buckets(s3, repeat).read("a.jpg", LIMITS)
        assert len(requests) == 3


def test_a_refused_request_is_not_repeated(server: Server) -> None:
    refusal = Response(b"<Error><Code>AccessDenied</Code></Error>", status=403)
    with server(lambda _: refusal) as (s3, repeat, requests):
        with pytest.raises(ClientError, match="AccessDenied"):
            _buckets(s3, repeat).read("a.jpg", LIMITS)
        assert len(requests) == 1


def test_a_job_that_stops_repeats_no_request(server: Server) -> None:
    """AWS Batch gives a job only 30 seconds to stop."""
    stopping = threading.Event()
    stopping.set()
    with server(_picture, "cut off", stopping=stopping) as (s3, repeat, requests):
        with pytest.raises(AWS_ERRORS):
            _buckets(s3, repeat).read("a.jpg", LIMITS)
        assert len(requests) == 1


def test_a_picture_with_a_wrong_byte_is_read_again(server: Server) -> None:
    checksum = base64.b64encode(zlib.crc32(CONTENT).to_bytes(4)).decode()

    def answer(request: Request) -> Response:
        content = CONTENT if request.earlier else b"x" + CONTENT[1:]
        return Response(content, headers={"ETag": '"etag"', "x-amz-checksum-crc32": checksum})

    with server(answer) as (s3, repeat, requests):
        assert _buckets(s3, repeat).read("a.jpg", LIMITS) == (CONTENT, "etag")
        assert len(requests) == 2
    with server(answer) as (s3, repeat, _):
        repeat.stop = stop_after_attempt(1)
        with pytest.raises(FlexibleChecksumError):
            _buckets(s3, repeat).read("a.jpg", LIMITS)


def _list_page(request: Request) -> Response:
    """Return one of two pages of a list. Each page has one key."""
    token = parse_qs(urlsplit(request.path).query).get("continuation-token")
    key = "b.jpg" if token else "a.jpg"
    more = (
        "<IsTruncated>false</IsTruncated>"
        if token
        else "<IsTruncated>true</IsTruncated><NextContinuationToken>2</NextContinuationToken>"
    )
    contents = f"<Contents><Key>{key}</Key><Size>1</Size><ETag>&quot;etag&quot;</ETag></Contents>"
    return Response(f"<ListBucketResult>{more}{contents}</ListBucketResult>".encode())


@pytest.mark.parametrize("fault", [*FAULTS, "shortened"])
def test_each_page_of_a_list_is_read_again_when_the_answer_breaks_off(server: Server, fault: Fault) -> None:
    with server(_list_page, fault) as (s3, repeat, requests):
        assert [picture.key for picture in _buckets(s3, repeat).pictures("")] == ["a.jpg", "b.jpg"]
        assert len(requests) == 4


def test_an_answer_without_a_body_is_not_an_empty_list(server: Server) -> None:
    with server(lambda request: _list_page(request) if request.earlier else Response(b"")) as (s3, repeat, requests):
        assert [picture.key for picture in _buckets(s3, repeat).pictures("")] == ["a.jpg", "b.jpg"]
        assert len(requests) == 4


@pytest.mark.parametrize("fault", ["503", "503 cut off", "reset"])
def test_a_thumbnail_is_written_again_when_the_request_fails(server: Server, fault: Fault) -> None:
    with server(lambda _: Response(b""), fault) as (s3, repeat, requests):
        assert _buckets(s3, repeat).write("a.webp", NO_THUMBNAIL) == "thumbnails/64/a.webp"
        assert [request.path for request in requests] == ["/out/thumbnails/64/a.webp"] * 2


@pytest.mark.parametrize("fault", [*FAULTS, "shortened"])
def test_each_request_for_the_manifest_is_repeated_when_the_answer_breaks_off(server: Server, fault: Fault) -> None:
    def answer(request: Request) -> Response:
        body = b""
        if request.path.endswith("?uploads"):
            body = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
        elif request.method == "POST":
            body = b"<CompleteMultipartUploadResult><ETag>etag</ETag></CompleteMultipartUploadResult>"
        return Response(body, headers={"ETag": '"etag"'})

    with server(answer, fault) as (s3, repeat, requests):
        manifest = Manifest(s3, repeat, "out", "manifests/job/00000.1")
        manifest.add("made", "a" * PART_BYTES)
        manifest.close(complete=True)
    assert requests[-1].path == "/out/manifests/job/00000.1.json"
    assert b'"made": 1' in requests[-1].body
    posts = [request for request in requests if request.method == "POST"]
    assert len(posts) == 4, "the answers with a body break off once"
