"""The thumbnails and the items match the uploads, although S3 may send events twice and in any order."""

import io
import json
import resource
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError
from botocore.response import StreamingBody
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from PIL import Image
from urllib3.exceptions import HTTPError

from tests.handlers.lambda_function import CONTEXT
from tests.handlers.thumbnail import hostile, pictures
from tests.handlers.thumbnail.conftest import THUMBNAILS, UPLOADS, World, record
from tests.handlers.thumbnail.interleaving import CrashError, Interleaving
from tests.support.fast import first_are_fast
from tests.support.faulty_server import Fault, Response, run_faulty_server
from tests.support.keys import ODD_KEYS
from thumbnail.events import parse_changes
from thumbnail.imaging import Thumbnail
from thumbnail.settle import describe
from thumbnail.uploads import Upload, Uploads


def plain_picture(colour: str = "teal", size: tuple[int, int] = (200, 100), file_format: str = "JPEG") -> bytes:
    """Return a picture in one colour."""
    return pictures.save(Image.new("RGB", size, colour), file_format)


# --- a good picture gets a thumbnail ---


def test_a_picture_gets_a_thumbnail_and_an_item(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function reads the table only for restored and replaced pictures, because each read costs money."""
    monkeypatch.setattr(world.function.dynamodb, "get_item", lambda **_: pytest.fail("the table was read"))
    picture = plain_picture()
    upload_event = world.put("holidays/2026/beach.jpg", picture)
    world.deliver(upload_event)

    ((key, thumbnail),) = world.thumbnails().items()
    head = world.s3.head_object(Bucket=UPLOADS, Key="holidays/2026/beach.jpg")
    assert world.item("holidays/2026/beach.jpg") == {
        "image_key": "holidays/2026/beach.jpg",
        "name": "beach.jpg",
        "size_bytes": str(len(picture)),
        "created_at": head["LastModified"].isoformat(),
        "etag": head["ETag"].strip('"'),
        "sequencer": upload_event["s3"]["object"]["sequencer"].ljust(32, "0"),
        "status": "made",
        "format": "JPEG",
        "width": "200",
        "height": "100",
        "thumbnail_key": key,
        "thumbnail_bytes": str(len(thumbnail)),
        "thumbnail_width": "64",
        "thumbnail_height": "32",
    }
    assert Image.open(io.BytesIO(thumbnail)).size == (64, 32)
    assert world.s3.head_object(Bucket=THUMBNAILS, Key=key)["ContentType"] == "image/webp"


@pytest.mark.slow
def test_every_key_gets_its_own_thumbnail(world: World) -> None:
    keys = [*ODD_KEYS, "x" * 1024, "😀" * 256, "a.jpg", "a.png", "x/a.jpg", "y/a.jpg", "A.jpg", "a.jpg ", "a"]
    world.deliver(*(world.put(key, plain_picture()) for key in keys))
    thumbnail_keys = {world.item(key)["thumbnail_key"] for key in keys}
    assert thumbnail_keys == {*world.thumbnails()}
    assert len(thumbnail_keys) == len(keys)


# --- a bad picture is rejected: its item has the reason, and Lambda does not retry ---


@pytest.mark.parametrize(
    ("key", "body", "reason"),
    [
        ("empty.jpg", b"", "The file is empty."),
        ("folder/", b"", "This is a folder, not a file."),
        ("letter.jpg", b"Dear Sir or Madam", "The file is not a picture"),
        ("big.jpg", plain_picture() + b"\0" * 300_000, "bytes; the limit is 300,000."),
        (
            "wide.png",
            plain_picture(size=(2000, 1000), file_format="PNG"),
            "has 2,000,000 pixels; the limit is 1,000,000.",
        ),
        ("cut.jpg", plain_picture(size=(800, 800))[:-2000], "The picture is damaged or incomplete."),
    ],
)
def test_a_bad_picture_is_rejected_and_its_earlier_thumbnail_is_deleted(
    world: World, key: str, body: bytes, reason: str
) -> None:
    world.deliver(world.put(key, plain_picture()))
    world.deliver(world.put(key, body))
    item = world.item(key)
    assert item["status"] == "rejected"
    assert reason in item["reason"]
    assert item["size_bytes"] == str(len(body))
    assert world.thumbnails() == {}


def test_a_file_that_is_too_large_is_not_downloaded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    upload_event = world.put("big.jpg", b"\0" * 300_001)
    monkeypatch.setattr(StreamingBody, "read", lambda *_, **__: pytest.fail("the body was read"))
    world.deliver(upload_event)
    assert world.item("big.jpg")["status"] == "rejected"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces the limit")
def test_a_picture_larger_than_its_header_says_is_rejected_before_memory_runs_out(world: World) -> None:
    world.deliver(world.put("good.avif", pictures.save(pictures.scene(), "AVIF")))
    assert world.item("good.avif")["status"] == "made"
    world.deliver(world.put("hostile.avif", hostile.avif_larger_than_its_header_says()))
    assert world.item("hostile.avif")["reason"] == "The picture is damaged or incomplete."
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY, "the limit was not removed"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces the limit")
def test_a_picture_that_needs_too_much_memory_is_rejected(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thumbnail.limits.make_thumbnail", lambda *_, **__: bytearray(1 << 30))
    world.deliver(world.put("a.jpg", plain_picture()))
    assert world.item("a.jpg")["reason"] == "The picture needs more memory than one of its size should."


# --- an archived picture gets its thumbnail when it is restored ---


def archive(world: World, key: str) -> dict[str, Any]:
    """Upload a picture into an archive of S3. Nobody can read the picture before it is restored."""
    return world.put(key, plain_picture(), StorageClass="GLACIER")


def run_before_next_call(
    monkeypatch: pytest.MonkeyPatch, client: Any, operation: str, action: Callable[[], object]
) -> None:
    """Run `action` once, immediately before the next call of this AWS operation."""
    original = getattr(client, operation)

    def call(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(client, operation, original)
        action()
        return original(*arguments, **options)

    monkeypatch.setattr(client, operation, call)


def test_an_archived_picture_is_rejected_until_it_is_restored(world: World) -> None:
    upload_event = archive(world, "old.jpg")
    world.deliver(upload_event)
    assert world.item("old.jpg")["reason"] == "The file is in an archive; its thumbnail is made when it is restored."

    world.deliver(world.restore("old.jpg"))
    world.assert_made("old.jpg")
    world.deliver(upload_event)  # S3 delivers the event again, and late
    world.assert_made("old.jpg")
    world.deliver(world.restore("old.jpg"))
    world.assert_made("old.jpg")
    world.deliver(world.put("old.jpg", plain_picture(size=(50, 30))))  # a restoration does not supersede later uploads
    world.assert_made("old.jpg")
    assert world.item("old.jpg")["height"] == "30"


@pytest.mark.parametrize(
    ("client", "operation"),
    [
        pytest.param("dynamodb", "put_item", id="before-the-item-is-written"),
        pytest.param("s3", "get_paginator", id="before-old-thumbnails-are-deleted"),
    ],
)
def test_a_restoration_during_the_first_run_is_not_lost(
    world: World, monkeypatch: pytest.MonkeyPatch, client: str, operation: str
) -> None:
    """The first run has read that the picture is archived. Before this run ends, the restoration is processed."""
    upload_event = archive(world, "old.jpg")

    def restore() -> None:
        world.settle(world.restore("old.jpg"))

    run_before_next_call(monkeypatch, getattr(world.function, client), operation, restore)
    world.deliver(upload_event)
    world.assert_made("old.jpg")


def test_the_first_run_does_not_supersede_a_restoration(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run of the restoration finds no item. Then the first run writes its item."""
    upload_event = archive(world, "old.jpg")
    restore_event = record("ObjectRestore:Completed", "old.jpg")

    def settle_and_restore() -> None:
        world.settle(upload_event)
        world.restore("old.jpg")

    run_before_next_call(monkeypatch, world.function.s3, "get_object", settle_and_restore)
    world.deliver(restore_event)
    world.assert_made("old.jpg")


# --- an AWS failure is raised, and Lambda retries ---


def client_error(code: str = "InternalServerError") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "out of order"}}, "Operation")


@pytest.mark.parametrize(
    ("operation", "error"),
    first_are_fast(
        4,
        [
            ("thumbnail.handler.s3.get_object", client_error("AccessDenied")),
            ("botocore.response.StreamingBody.read", ReadTimeoutError(endpoint_url="s3")),
            ("thumbnail.handler.s3.put_object", client_error()),
            ("thumbnail.handler.dynamodb.put_item", client_error()),
            ("thumbnail.handler.s3.get_object", client_error()),
            ("thumbnail.handler.s3.head_object", client_error()),
            ("thumbnail.handler.s3.get_paginator", client_error()),
        ],
    ),
)
def test_an_aws_failure_is_raised_and_does_not_reject_the_picture(
    world: World, operation: str, error: Exception
) -> None:
    upload_event = world.put("a.jpg", plain_picture())

    def fail(*_: object, **__: object) -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operation, fail)
        with pytest.raises(type(error)):
            world.deliver(upload_event)
    assert [item for item in world.items().values() if item["status"] == "rejected"] == []
    world.deliver(upload_event)
    world.assert_made("a.jpg")


@pytest.mark.parametrize(
    "fault", first_are_fast(1, ["cut off", "503", "503 cut off", "reset", "cut off by reset", "silence"])
)
def test_a_download_that_breaks_off_is_raised_and_does_not_reject_the_picture(
    function: ModuleType, fault: Fault
) -> None:
    """A real server on this machine breaks the connection. Then Lambda retries the event."""
    picture = plain_picture()
    headers = {"ETag": '"etag"', "Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT"}
    (change,) = parse_changes({"Records": [record("ObjectCreated:Put", "a.jpg", eTag="etag")]})
    with run_faulty_server(lambda _: Response(picture, headers=headers), lambda _: fault) as endpoint:
        config = Config(read_timeout=0.2, retries={"total_max_attempts": 1})
        uploads = Uploads(boto3.client("s3", endpoint_url=endpoint, config=config))

        def get_and_describe() -> None:
            upload = uploads.get(change)
            assert isinstance(upload, Upload)
            describe(change.key, upload, function.limits)

        with pytest.raises((BotoCoreError, ClientError, HTTPError)):
            get_and_describe()


def test_a_retry_after_a_crash_deletes_the_thumbnail_of_a_replaced_picture(world: World) -> None:
    """Another run processes a replaced picture, before the first run writes its thumbnail and crashes."""
    first_upload = world.put("a.jpg", plain_picture("red"))
    with pytest.MonkeyPatch.context() as patch:

        def fail(**_: object) -> None:
            raise client_error()

        def replace() -> None:
            world.settle(world.put("a.jpg", plain_picture("blue")))
            patch.setattr(world.function.dynamodb, "put_item", fail)

        run_before_next_call(patch, world.function.s3, "put_object", replace)
        with pytest.raises(ClientError):
            world.deliver(first_upload)
    assert len(world.thumbnails()) == 2
    world.deliver(first_upload)
    world.assert_made("a.jpg")


def test_all_other_records_are_processed_before_failures_are_raised(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [world.put(key, plain_picture()) for key in ("a", "b", "c", "d")]
    put_item = world.function.dynamodb.put_item

    def fail_for_a_and_c(**arguments: Any) -> Any:
        if arguments["Item"]["image_key"]["S"] in ("a", "c"):
            raise client_error()
        return put_item(**arguments)

    monkeypatch.setattr(world.function.dynamodb, "put_item", fail_for_a_and_c)
    with pytest.raises(ExceptionGroup) as raised:
        world.deliver(*records)
    assert len(raised.value.exceptions) == 2
    assert sorted(world.items()) == ["b", "d"]


@pytest.mark.parametrize(
    "event", [{}, {"Records": [{"eventSource": "aws:sqs"}]}, {"Records": [{"eventSource": "aws:s3", "eventName": "x"}]}]
)
def test_an_event_that_is_not_from_s3_is_an_error(function: ModuleType, event: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a"):
        function.handler(event, CONTEXT)


def test_the_test_event_of_s3_is_accepted(function: ModuleType) -> None:
    function.handler({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": UPLOADS}, CONTEXT)


# --- the thumbnail and the item of a removed picture are deleted ---


def test_a_removal_deletes_the_thumbnail_and_the_item(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.deliver(world.put("a.jpg", plain_picture()))
    world.deliver(world.delete("a.jpg"))
    world.assert_empty()

    # The picture is removed before its first event arrives.
    upload_event, removal_event = world.put("a.jpg", plain_picture()), world.delete("a.jpg")
    world.deliver(upload_event)
    world.deliver(removal_event)
    world.assert_empty()

    upload_event = world.put("a.jpg", plain_picture())
    run_before_next_call(monkeypatch, world.function.dynamodb, "put_item", lambda: world.settle(world.delete("a.jpg")))
    world.deliver(upload_event)
    world.assert_empty()


def test_the_item_describes_the_current_version_in_a_bucket_with_versions(world: World) -> None:
    world.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    world.deliver(world.put("a.jpg", plain_picture(size=(100, 50))))
    world.deliver(world.put("a.jpg", plain_picture(size=(50, 100))))
    item = world.item("a.jpg")
    assert (item["width"], item["height"]) == ("50", "100")

    world.deliver(world.delete("a.jpg", VersionId=item["version_id"]))  # the older version becomes current again
    assert world.item("a.jpg")["width"] == "100"
    world.deliver(world.delete("a.jpg"))  # S3 adds a delete marker
    world.assert_empty()


# --- events that arrive twice, late or at the same time ---


def test_a_repeated_or_late_event_changes_nothing(world: World) -> None:
    # Both uploads have the same ETag.
    first, second = world.put("a.jpg", plain_picture()), world.put("a.jpg", plain_picture())
    world.deliver(second)
    state_before = (world.items(), world.thumbnails())
    for event in (second, first):
        world.deliver(event)
        assert (world.items(), world.thumbnails()) == state_before


def test_a_late_removal_does_not_remove_a_newer_picture(world: World) -> None:
    world.deliver(world.put("a.jpg", plain_picture("red")))
    removal_event = world.delete("a.jpg")
    world.deliver(world.put("a.jpg", plain_picture("blue")))
    world.deliver(removal_event)
    world.assert_made("a.jpg")


@pytest.mark.parametrize("sequencer", ["0055AED6", "0055aed6dcd90281e5"])
def test_sequencers_are_padded_to_one_length(sequencer: str) -> None:
    removal_event = record("ObjectRemoved:Delete", "a")
    removal_event["s3"]["object"]["sequencer"] = sequencer
    (change,) = parse_changes({"Records": [removal_event]})
    assert change.sequencer == sequencer.upper() + "0" * (32 - len(sequencer))


@pytest.mark.slow
@given(data=st.data())
@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=50
)
def test_the_final_state_matches_the_bucket_in_every_order_of_events(function: ModuleType, data: st.DataObject) -> None:
    """One key is written and deleted. The events arrive at least once, in any order and at the same time.

    Some runs crash, and are retried.
    """
    bodies = data.draw(st.lists(st.sampled_from([None, b"A", b"B"]), min_size=1, max_size=4), label="put or delete")
    repeated = data.draw(st.lists(st.integers(0, len(bodies) - 1), max_size=2), label="delivered twice")
    deliveries = [*range(len(bodies)), *repeated]
    crashes = data.draw(st.lists(st.integers(-1, 7), min_size=len(deliveries), max_size=len(deliveries)), label="crash")
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        world = World(function)
        interleaving = Interleaving(lambda count: data.draw(st.integers(0, count - 1), label="next"))
        patch.setattr("thumbnail.limits.make_thumbnail", copy_as_thumbnail)
        records: dict[int, dict[str, Any]] = {}

        def upload() -> None:
            for number, body in enumerate(bodies):
                records[number] = world.put("a.jpg", body) if body else world.delete("a.jpg")
                interleaving.pause()

        def delivery(number: int, crash: int) -> Callable[[], None]:
            def deliver() -> None:
                while number not in records:
                    interleaving.pause()
                interleaving.crash_after(crash)
                try:
                    world.settle(records[number])
                except CrashError:
                    world.settle(records[number])  # Lambda's retry

            return deliver

        with interleaving.pause_before_calls(function.s3, function.dynamodb):
            interleaving.run(upload, *map(delivery, deliveries, crashes))
        if bodies[-1] is None:
            world.assert_empty()
        else:
            item = world.item("a.jpg")
            assert item["etag"] == world.s3.head_object(Bucket=UPLOADS, Key="a.jpg")["ETag"].strip('"')
            assert world.thumbnails() == {item["thumbnail_key"]: bodies[-1]}


def copy_as_thumbnail(source: io.BytesIO, **_: int) -> Thumbnail:
    """Return a thumbnail whose data are the bytes of the picture, because a real thumbnail takes more time."""
    return Thumbnail(
        data=source.read(), content_type="x", width=1, height=1, source_format="X", source_width=1, source_height=1
    )


# --- logs and metrics ---


def test_logs_and_metrics_show_made_and_rejected_pictures(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(world.function.logger.registered_handler, "stream", log)
    world.deliver(world.put("a.jpg", plain_picture()), world.put("b.jpg", b"text"), world.delete("c.jpg"))
    metrics = json.loads(capsys.readouterr().out)
    (directive,) = metrics["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Test"
    assert directive["Dimensions"] == [["service"]]
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        "Made": "Count",
        "Rejected": "Count",
        "Milliseconds": "Milliseconds",
        "Bytes": "Bytes",
    }
    assert sum(metrics["Made"]) == sum(metrics["Rejected"]) == 1
    assert metrics["Bytes"] == [len(plain_picture()), len(b"text")]
    assert len(metrics["Milliseconds"]) == 2
    assert all(0 < milliseconds < 60_000 for milliseconds in metrics["Milliseconds"])
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    outcomes = [(line["image_key"], line["message"]) for line in lines]
    assert outcomes == [("a.jpg", "made"), ("b.jpg", "rejected"), ("c.jpg", "removed")]
