"""The thumbnail function: what ends up in the buckets and the table, whatever S3 sends and in whatever order."""

import io
import json
import resource
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.response import StreamingBody
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from PIL import Image

from tests.handlers.thumbnail import pictures
from tests.handlers.thumbnail.conftest import CONTEXT, TABLE, THUMBNAILS, UPLOADS, World, record
from tests.support.keys import ODD_KEYS
from thumbnail.events import parse_changes
from thumbnail.imaging import Thumbnail
from thumbnail.settle import settle

SLOW_IS_FINE = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60
)


def photo(colour: str = "teal", size: tuple[int, int] = (200, 100), kind: str = "JPEG") -> bytes:
    image = io.BytesIO()
    Image.new("RGB", size, colour).save(image, kind)
    return image.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


# -- what becomes of a picture


def test_a_picture_becomes_a_thumbnail_and_an_item(world: World) -> None:
    picture = photo()
    created = world.put("holidays/2026/beach.jpg", picture)
    world.deliver(created)

    item = world.item("holidays/2026/beach.jpg")
    assert item is not None
    ((key, thumbnail),) = world.thumbnails().items()
    head = world.s3.head_object(Bucket=UPLOADS, Key="holidays/2026/beach.jpg")
    assert item == {
        "image_key": "holidays/2026/beach.jpg",
        "name": "beach.jpg",
        "size_bytes": str(len(picture)),
        "created_at": head["LastModified"].isoformat(),
        "etag": head["ETag"].strip('"'),
        "sequencer": created["s3"]["object"]["sequencer"].ljust(32, "0"),
        "status": "made",
        "format": "JPEG",
        "width": "200",
        "height": "100",
        "thumbnail_key": key,
        "thumbnail_bytes": str(len(thumbnail)),
        "thumbnail_width": "64",
        "thumbnail_height": "32",
    }
    assert opened(thumbnail).size == (64, 32)
    assert world.s3.head_object(Bucket=THUMBNAILS, Key=key)["ContentType"] == "image/webp"


KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=300).filter(
    lambda key: 0 < len(key.encode()) <= 1024
)


@given(key=KEYS)
@SLOW_IS_FINE
def test_any_key_is_taken_from_the_event_as_it_was_uploaded(key: str) -> None:
    (change,) = parse_changes({"Records": [record("ObjectCreated:Put", key)]})
    assert change.key == key


@pytest.mark.parametrize("key", [*ODD_KEYS, "x" * 1024, "😀" * 256])
def test_any_key_gets_its_thumbnail(world: World, key: str) -> None:
    world.deliver(world.put(key, photo()))
    item = world.item(key)
    assert item is not None
    assert item["thumbnail_key"] in world.thumbnails()


def test_keys_that_look_alike_do_not_collide(world: World) -> None:
    keys = ["a.jpg", "a.png", "x/a.jpg", "y/a.jpg", "A.jpg", "a.jpg ", "a"]
    for key in keys:
        world.deliver(world.put(key, photo()))
    assert len({(world.item(key) or {})["thumbnail_key"] for key in keys}) == len(keys) == len(world.thumbnails())


def test_all_records_of_an_event_are_settled(world: World) -> None:
    world.deliver(*(world.put(f"{number}.jpg", photo()) for number in range(3)))
    assert len(world.thumbnails()) == 3


# -- what is wrong with a picture is recorded, and not retried


@pytest.mark.parametrize(
    ("key", "body", "reason"),
    [
        ("empty.jpg", b"", "The file is empty."),
        ("folder/", b"", "This is a folder, not a file."),
        ("letter.jpg", b"Dear Sir or Madam", "The file is not a picture"),
        ("big.jpg", photo() + b"\0" * 300_000, "bytes; the limit is 300,000."),
        ("wide.png", photo(size=(2000, 1000), kind="PNG"), "The picture has 2,000,000 pixels; the limit is 1,000,000."),
        ("cut.jpg", photo(size=(800, 800))[:-2000], "damaged"),
    ],
)
def test_a_bad_picture_is_rejected_with_a_reason(world: World, key: str, body: bytes, reason: str) -> None:
    world.deliver(world.put(key, body))
    item = world.item(key)
    assert item is not None
    assert item["status"] == "rejected"
    assert reason in item["reason"]
    assert item["size_bytes"] == str(len(body))
    assert world.thumbnails() == {}


def test_too_many_bytes_are_never_downloaded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    created = world.put("big.jpg", b"\0" * 300_001)
    monkeypatch.setattr(StreamingBody, "read", lambda *_, **__: pytest.fail("the body was read"))
    world.deliver(created)
    assert (world.item("big.jpg") or {})["status"] == "rejected"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces the limit")
def test_a_picture_that_hides_its_size_is_rejected_before_it_takes_all_memory(world: World) -> None:
    world.deliver(world.put("honest.avif", pictures.save(pictures.scene(), "AVIF")))
    assert (world.item("honest.avif") or {})["status"] == "made"
    world.deliver(world.put("liar.avif", pictures.avif_larger_than_it_says()))
    assert (world.item("liar.avif") or {})["reason"] == "The picture is damaged or incomplete."
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY, "the limit outlived the picture"


def test_a_picture_that_needs_too_much_memory_is_rejected(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: Any, **__: Any) -> bytearray:
        return bytearray(1 << 30)

    monkeypatch.setattr("thumbnail.limits.make_thumbnail", greedy)
    world.deliver(world.put("a.jpg", photo()))
    assert (world.item("a.jpg") or {})["reason"] == "The picture needs more memory than one of its size should."


def test_a_picture_that_turns_bad_loses_its_thumbnail(world: World) -> None:
    world.deliver(world.put("a.jpg", photo()))
    world.deliver(world.put("a.jpg", b"now a text"))
    assert (world.item("a.jpg") or {})["status"] == "rejected"
    assert world.thumbnails() == {}


def test_an_archived_picture_waits_for_its_restoration(world: World) -> None:
    created = world.put("old.jpg", photo(), StorageClass="GLACIER")
    world.deliver(created)
    item = world.item("old.jpg")
    assert item is not None
    assert item["reason"] == "The file is in an archive; its thumbnail is made when it is restored."

    world.s3.restore_object(Bucket=UPLOADS, Key="old.jpg", RestoreRequest={"Days": 1})
    world.deliver(record("ObjectRestore:Completed", "old.jpg", eTag=item["etag"], size=1))
    assert (world.item("old.jpg") or {})["status"] == "made"
    world.deliver(created)  # delivered once more, late
    assert (world.item("old.jpg") or {})["status"] == "made"
    world.deliver(record("ObjectRestore:Completed", "old.jpg"))  # restored once more
    assert list(world.thumbnails()) == [(world.item("old.jpg") or {})["thumbnail_key"]]


def archived(world: World, key: str) -> dict[str, Any]:
    return world.put(key, photo(), StorageClass="GLACIER")


def test_a_restoration_during_the_first_look_is_not_overlooked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its event comes and goes before the first run writes that the picture lies in an archive."""
    created = archived(world, "old.jpg")
    put_item = world.function.store._dynamodb.put_item

    def restored_just_before(**arguments: Any) -> Any:
        monkeypatch.undo()
        world.s3.restore_object(Bucket=UPLOADS, Key="old.jpg", RestoreRequest={"Days": 1})
        world.settle(record("ObjectRestore:Completed", "old.jpg"))
        return put_item(**arguments)

    monkeypatch.setattr(world.function.store._dynamodb, "put_item", restored_just_before)
    world.deliver(created)
    assert (world.item("old.jpg") or {})["status"] == "made"
    assert list(world.thumbnails()) == [(world.item("old.jpg") or {})["thumbnail_key"]]


def test_the_first_look_does_not_sweep_away_the_thumbnail_of_a_restoration(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The restoration is settled between the first run's item and its sweep."""
    created = archived(world, "old.jpg")
    get_paginator = world.function.store._s3.get_paginator

    def restored_just_before(*arguments: Any) -> Any:
        monkeypatch.undo()
        world.s3.restore_object(Bucket=UPLOADS, Key="old.jpg", RestoreRequest={"Days": 1})
        world.settle(record("ObjectRestore:Completed", "old.jpg"))
        return get_paginator(*arguments)

    monkeypatch.setattr(world.function.store._s3, "get_paginator", restored_just_before)
    world.deliver(created)
    assert (world.item("old.jpg") or {})["status"] == "made"
    assert list(world.thumbnails()) == [(world.item("old.jpg") or {})["thumbnail_key"]]


def test_the_first_look_does_not_overtake_a_restoration(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes its item after the restoration's run found none."""
    created = archived(world, "old.jpg")
    get_object = world.function.store._s3.get_object

    def first_run_just_before(**arguments: Any) -> Any:
        monkeypatch.undo()
        world.settle(created)
        world.s3.restore_object(Bucket=UPLOADS, Key="old.jpg", RestoreRequest={"Days": 1})
        return get_object(**arguments)

    monkeypatch.setattr(world.function.store._s3, "get_object", first_run_just_before)
    world.deliver(record("ObjectRestore:Completed", "old.jpg"))
    assert (world.item("old.jpg") or {})["status"] == "made"
    assert list(world.thumbnails()) == [(world.item("old.jpg") or {})["thumbnail_key"]]


# -- what AWS fails at is raised, to be retried


def failing(_operation: str, code: str = "InternalServerError") -> Callable[..., Any]:
    def call(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "out of order"}}, _operation)

    return call


@pytest.mark.parametrize(
    ("client", "operation"),
    [
        ("_s3", "get_object"),
        ("_s3", "put_object"),
        ("_s3", "head_object"),
        ("_s3", "get_paginator"),
        ("_dynamodb", "put_item"),
    ],
)
def test_a_failure_of_aws_is_raised_and_the_retry_makes_it_good(
    world: World, monkeypatch: pytest.MonkeyPatch, client: str, operation: str
) -> None:
    created = world.put("a.jpg", photo())
    with monkeypatch.context() as broken:
        broken.setattr(getattr(world.function.store, client), operation, lambda *_, **__: failing(operation)())
        with pytest.raises(ClientError, match="out of order"):
            world.deliver(created)
    world.deliver(created)
    assert list(world.thumbnails()) == [(world.item("a.jpg") or {})["thumbnail_key"]]


def test_denied_access_is_our_fault_and_not_the_pictures(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    created = world.put("a.jpg", photo())
    monkeypatch.setattr(world.function.store._s3, "get_object", failing("GetObject", "AccessDenied"))
    with pytest.raises(ClientError):
        world.deliver(created)
    assert world.item("a.jpg") is None


def test_a_download_that_breaks_off_is_no_damaged_picture(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    created = world.put("a.jpg", photo())

    def read(*_: Any, **__: Any) -> bytes:
        raise ReadTimeoutError(endpoint_url="s3")

    monkeypatch.setattr(StreamingBody, "read", read)
    with pytest.raises(ReadTimeoutError):
        world.deliver(created)
    assert world.item("a.jpg") is None


def test_what_a_crash_left_of_a_replaced_picture_goes_with_the_retry(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture is replaced, and that is settled, before the first run writes its thumbnail and crashes."""
    first = world.put("a.jpg", photo("red"))
    put_object = world.function.store._s3.put_object

    def replaced_just_before(**arguments: Any) -> Any:
        monkeypatch.undo()
        world.settle(world.put("a.jpg", photo("blue")))
        monkeypatch.setattr(world.function.store._dynamodb, "put_item", failing("PutItem"))
        return put_object(**arguments)

    monkeypatch.setattr(world.function.store._s3, "put_object", replaced_just_before)
    with pytest.raises(ClientError):
        world.deliver(first)
    monkeypatch.undo()
    assert len(world.thumbnails()) == 2
    world.deliver(first)
    assert list(world.thumbnails()) == [(world.item("a.jpg") or {})["thumbnail_key"]]


def test_one_failure_does_not_keep_the_other_records_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [world.put(f"{name}.jpg", photo()) for name in ("a", "b", "c", "d")]
    put_item = world.function.store._dynamodb.put_item

    def sometimes(**arguments: Any) -> Any:
        fail = arguments["Item"]["image_key"]["S"] in ("a.jpg", "c.jpg")
        return failing("PutItem")() if fail else put_item(**arguments)

    monkeypatch.setattr(world.function.store._dynamodb, "put_item", sometimes)
    with pytest.raises(ExceptionGroup) as raised:
        world.deliver(*records)
    assert len(raised.value.exceptions) == 2
    assert [name for name in "abcd" if world.item(f"{name}.jpg")] == ["b", "d"]


@pytest.mark.parametrize(
    "event", [{}, {"Records": [{"eventSource": "aws:sqs"}]}, {"Records": [{"eventSource": "aws:s3", "eventName": "x"}]}]
)
def test_what_is_not_from_s3_is_refused_with_a_clear_error(function: ModuleType, event: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a"):
        function.handler(event, CONTEXT)


def test_the_test_event_of_s3_is_no_error(function: ModuleType) -> None:
    function.handler({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": UPLOADS}, CONTEXT)


# -- removed


def test_a_removed_picture_takes_thumbnail_and_item_with_it(world: World) -> None:
    world.deliver(world.put("a.jpg", photo()))
    world.deliver(world.delete("a.jpg"))
    assert world.item("a.jpg") is None
    assert world.thumbnails() == {}


def test_a_picture_deleted_before_its_event_arrives_is_no_error(world: World) -> None:
    created = world.put("a.jpg", photo())
    removed = world.delete("a.jpg")
    world.deliver(created)
    world.deliver(removed)
    assert world.item("a.jpg") is None


def test_in_a_bucket_with_versions_the_current_one_counts(world: World) -> None:
    world.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    world.deliver(world.put("a.jpg", photo(size=(100, 50))))
    world.deliver(world.put("a.jpg", photo(size=(50, 100))))
    item = world.item("a.jpg")
    assert item is not None
    assert (item["width"], item["height"]) == ("50", "100")

    world.deliver(world.delete("a.jpg", VersionId=item["version_id"]))  # the older version comes to light again
    assert (world.item("a.jpg") or {})["width"] == "100"
    world.deliver(world.delete("a.jpg"))  # a delete marker
    assert world.item("a.jpg") is None
    assert world.thumbnails() == {}


# -- twice, late, and at the same time


def test_the_same_event_twice_changes_nothing(world: World) -> None:
    created = world.put("a.jpg", photo())
    world.deliver(created)
    before = (world.item("a.jpg"), world.thumbnails())
    world.deliver(created)
    assert (world.item("a.jpg"), world.thumbnails()) == before


def test_a_late_event_does_not_overwrite_a_later_one(world: World) -> None:
    first, second = world.put("a.jpg", photo("red")), world.put("a.jpg", photo("red"))  # the ETag is no help
    world.deliver(second)
    before = (world.item("a.jpg"), world.thumbnails())
    world.deliver(first)
    assert (world.item("a.jpg"), world.thumbnails()) == before


def test_a_late_removal_does_not_remove_what_came_after_it(world: World) -> None:
    world.deliver(world.put("a.jpg", photo("red")))
    removed = world.delete("a.jpg")
    world.deliver(world.put("a.jpg", photo("blue")))
    world.deliver(removed)
    assert list(world.thumbnails()) == [(world.item("a.jpg") or {})["thumbnail_key"]]


def test_sequencers_of_different_lengths_are_compared_from_the_left() -> None:
    removed = record("ObjectRemoved:Delete", "a")
    for sequencer in ("0055AED6", "0055aed6dcd90281e5"):
        removed["s3"]["object"]["sequencer"] = sequencer
        (change,) = parse_changes({"Records": [removed]})
        assert change.sequencer == sequencer.upper() + "0" * (32 - len(sequencer))


class CrashError(Exception):
    """The function was killed."""


class Interleaved:
    """Runs functions so that one alone goes on at a time, from one call to AWS to the next, in a chosen order."""

    def __init__(self, choose: Callable[[int], int]) -> None:
        self._choose = choose
        self._fuses: dict[int, int] = {}
        self._paused = threading.Semaphore(0)
        self._go: dict[int, threading.Semaphore] = {}

    def pause(self) -> None:
        """Let another go on; called before every call to AWS."""
        me = threading.get_ident()
        if me in self._go:
            self._paused.release()
            self._go[me].acquire()
            self._fuses[me] = self._fuses.get(me, -1) - 1
            if self._fuses[me] == -1:
                raise CrashError

    def crash_after(self, calls: int) -> None:
        """Let whoever calls this crash at a later call to AWS."""
        self._fuses[threading.get_ident()] = calls

    def run(self, *functions: Callable[[], None]) -> None:
        running = [self._started(function) for function in functions]
        while running:
            thread = running[self._choose(len(running))]
            self._go[thread.ident or 0].release()
            self._paused.acquire()
            running = [thread for thread in running if thread.ident in self._go]

    def _started(self, function: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            me = threading.get_ident()
            self._go[me] = threading.Semaphore(0)
            self.pause()
            try:
                function()
            finally:
                del self._go[me]
                self._paused.release()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._paused.acquire()
        return thread


class Pausing:
    """A client of AWS that lets others go on before each of its calls."""

    def __init__(self, client: Any, pause: Callable[[], None]) -> None:
        self._client = client
        self._pause = pause

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name in (
            "get_object",
            "head_object",
            "put_object",
            "delete_object",
            "get_paginator",
            "put_item",
            "get_item",
            "delete_item",
        ):
            self._pause()
        return found


@pytest.mark.slow
@given(data=st.data())
@settings(SLOW_IS_FINE, max_examples=50)
def test_whatever_the_order_the_end_is_true_to_the_bucket(function: ModuleType, data: st.DataObject) -> None:
    """Writes and deletions of one key; their events come at least once, in any order, at the same time, and crash."""
    bodies = data.draw(st.lists(st.sampled_from([None, b"A", b"B"]), min_size=1, max_size=4), label="put or delete")
    twice = data.draw(st.lists(st.integers(0, len(bodies) - 1), max_size=2), label="delivered twice")
    deliveries = [*range(len(bodies)), *twice]
    crashes = data.draw(st.lists(st.integers(-1, 7), min_size=len(deliveries), max_size=len(deliveries)), label="crash")
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        world = World(function)
        interleaved = Interleaved(lambda count: data.draw(st.integers(0, count - 1), label="next"))
        patch.setattr("thumbnail.limits.make_thumbnail", _echo)
        for owner, client in ((function.store, "_s3"), (function.store, "_dynamodb"), (function.uploads, "_s3")):
            patch.setattr(owner, client, Pausing(getattr(owner, client), interleaved.pause))
        records: dict[int, dict[str, Any]] = {}

        def uploader() -> None:
            for number, body in enumerate(bodies):
                records[number] = world.put("a.jpg", body) if body else world.delete("a.jpg")
                interleaved.pause()

        def delivery(number: int, crash: int) -> Callable[[], None]:
            def deliver() -> None:
                while number not in records:
                    interleaved.pause()
                (change,) = parse_changes({"Records": [records[number]]})
                interleaved.crash_after(crash)
                try:
                    settle(change, function.uploads, function.store, function.limits)
                except CrashError:
                    settle(change, function.uploads, function.store, function.limits)  # as Lambda does, a minute later

            return deliver

        interleaved.run(uploader, *map(delivery, deliveries, crashes))
        item = world.item("a.jpg")
        if bodies[-1] is None:
            assert item is None
            assert world.thumbnails() == {}
        else:
            assert item is not None
            assert item["etag"] == world.s3.head_object(Bucket=UPLOADS, Key="a.jpg")["ETag"].strip('"')
            assert world.thumbnails() == {item["thumbnail_key"]: bodies[-1]}


def _echo(source: io.BytesIO, **_: int) -> Thumbnail:
    return Thumbnail(
        data=source.read(), content_type="x", width=1, height=1, source_format="X", source_width=1, source_height=1
    )


# -- seen from outside


def test_logs_and_metrics_tell_what_was_made_and_rejected(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(world.function.logger.registered_handler, "stream", log)
    world.deliver(world.put("a.jpg", photo()), world.put("b.jpg", b"text"))
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
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["image_key"], line["message"]) for line in lines] == [("a.jpg", "made"), ("b.jpg", "rejected")]


def test_the_table_is_read_for_restorations_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        world.function.store._dynamodb, "get_item", lambda **_: pytest.fail("a read that is not needed")
    )
    world.deliver(world.put("a.jpg", photo()))
    assert world.dynamodb.scan(TableName=TABLE)["Count"] == 1
