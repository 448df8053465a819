"""These tests run one child of the array job in this process. moto imitates S3. The decoders are real processes."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from PIL import Image

from batch import job, keys
from batch.buckets import Buckets
from batch.decoders import Decoders
from batch.division import Division
from batch.failures import repetition
from batch.job import Child
from batch.keys import thumbnail_name
from batch.manifest import PART_BYTES, Manifest
from tests.handlers.thumbnail import hostile, pictures
from tests.support.keys import ODD_KEYS
from tests.support.waiting import wait_for
from thumbnail.limits import Limits

LIMITS = Limits(max_edge=64, max_bytes=300_000, max_pixels=1_000_000, max_decoding_bytes=10**8)
INPUT, OUTPUT, FOLDER = "input", "output", "thumbnails/64/"
ACCESS_DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    decoders = Decoders(1, LIMITS)
    yield decoders
    decoders.close()


@cache
def _session() -> boto3.Session:
    return boto3.Session("test", "test", region_name="us-east-1")


@dataclass
class World:
    """Both buckets, and methods that fill them, run a child, and read the results."""

    decoders: Decoders
    s3: Any = field(default_factory=lambda: _session().client("s3"))
    stopping: threading.Event = field(default_factory=threading.Event)
    runs: int = 0

    def __post_init__(self) -> None:
        self.s3.create_bucket(Bucket=INPUT)
        self.s3.create_bucket(Bucket=OUTPUT)
        self.buckets = Buckets(self.s3, repetition(self.stopping), pictures=INPUT, thumbnails=OUTPUT, folder=FOLDER)

    def put(self, key: str, body: bytes, **options: Any) -> None:
        """Put a picture into the input bucket."""
        self.s3.put_object(Bucket=INPUT, Key=key, Body=body, **options)

    def run(
        self, *, prefix: str = "", child: int = 0, children: int = 1, job: str = "job"
    ) -> dict[str, dict[str, Any]]:
        """Run a child. Return the lines of its manifest by the keys of the pictures."""
        self.runs += 1
        repeat = repetition(self.stopping)
        division = Division(
            self.s3, repeat, self.buckets, bucket=OUTPUT, key=f"manifests/{job}/ranges.jsonl", stopping=self.stopping
        )
        self.child = Child(
            prefix=prefix,
            index=child,
            children=children,
            vcpus=1,
            buckets=self.buckets,
            division=division,
            limits=LIMITS,
            decoders=self.decoders,
            manifest=Manifest(self.s3, repeat, OUTPUT, f"manifests/{self.runs}"),
            stopping=self.stopping,
        )
        self.complete = self.child.run()
        self.child.manifest.close(complete=self.complete)
        lines = [json.loads(line) for line in self.read(f"manifests/{self.runs}.jsonl").splitlines()]
        self.totals = json.loads(self.read(f"manifests/{self.runs}.json"))
        outcomes = [line["outcome"] for line in lines]
        assert self.totals == {
            "complete": self.complete,
            **{outcome: outcomes.count(outcome) for outcome in ("made", "skipped", "rejected", "failed")},
        }
        return {line.pop("key"): line for line in lines}

    def read(self, key: str) -> bytes:
        """Return the content of an object in the output bucket."""
        return bytes(self.s3.get_object(Bucket=OUTPUT, Key=key)["Body"].read())

    def thumbnails(self) -> set[str]:
        """Return the keys of all thumbnails in the output bucket."""
        return {
            entry["Key"] for entry in self.s3.list_objects_v2(Bucket=OUTPUT, Prefix="thumbnails/").get("Contents", [])
        }

    def record_keys(self, operation: str) -> list[str]:
        """Return a list that gets the key of each later call of the operation."""
        keys: list[str] = []
        self.s3.meta.events.register(
            f"provide-client-params.s3.{operation}", lambda params, **_: keys.append(params["Key"])
        )
        return keys


@pytest.fixture
def world(decoders: Decoders) -> Iterator[World]:
    with mock_aws():
        yield World(decoders)


# -- good pictures


def test_every_picture_gets_a_thumbnail_and_a_line_in_the_manifest(world: World) -> None:
    for key in ODD_KEYS:
        world.put(key, pictures.jpeg())
    lines = world.run()
    assert world.complete
    assert {line["outcome"] for line in lines.values()} == {"made"}
    assert set(lines) == set(ODD_KEYS)
    assert {line["thumbnail"] for line in lines.values()} == world.thumbnails()
    for key in ODD_KEYS:
        thumbnail = Image.open(io.BytesIO(world.read(lines[key]["thumbnail"])))
        assert (thumbnail.format, thumbnail.size) == ("WEBP", (64, 40))


def test_a_second_run_skips_all_pictures(world: World) -> None:
    for key in ODD_KEYS:
        world.put(key, pictures.jpeg())
    world.run()
    read_keys, written_keys = world.record_keys("GetObject"), world.record_keys("PutObject")
    lines = world.run()
    assert {line["outcome"] for line in lines.values()} == {"skipped"}
    assert [key for key in read_keys if not key.startswith("manifests/")] == []
    assert [key for key in written_keys if not key.startswith("manifests/")] == []


def test_a_replaced_picture_gets_another_thumbnail_and_the_first_thumbnail_stays(world: World) -> None:
    world.put("a.jpg", pictures.jpeg())
    first = world.run()["a.jpg"]["thumbnail"]
    world.put("a.jpg", pictures.jpeg((100, 300)))
    second = world.run()["a.jpg"]["thumbnail"]
    assert world.thumbnails() == {first, second}
    assert Image.open(io.BytesIO(world.read(second))).size == (21, 64)


def test_a_thumbnail_is_named_after_the_version_that_was_read(world: World) -> None:
    """The picture is replaced after the child has listed it.

    If the name contained the listed version, the next run would not find the thumbnail of the current version.
    """
    world.put("a.jpg", pictures.jpeg())
    read = world.buckets.read

    def replace_and_read(key: str, limits: Limits) -> tuple[bytes, str]:
        world.put("a.jpg", pictures.jpeg((100, 300)))
        return read(key, limits)

    world.buckets.read = replace_and_read  # type: ignore[method-assign]
    etag = world.s3.get_object(Bucket=INPUT, Key="a.jpg")["ETag"]
    thumbnail = world.run()["a.jpg"]["thumbnail"]
    assert thumbnail != FOLDER + thumbnail_name("a.jpg", etag.strip('"'))
    world.buckets.read = read  # type: ignore[method-assign]
    assert world.run()["a.jpg"]["outcome"] == "skipped"


def test_a_prefix_selects_all_keys_that_begin_with_the_prefix(world: World) -> None:
    for key in ("holiday 1/a.jpg", "holiday 1/b.jpg", "holiday/a.jpg", "a.jpg"):
        world.put(key, pictures.jpeg())
    assert set(world.run(prefix="holiday 1/")) == {"holiday 1/a.jpg", "holiday 1/b.jpg"}
    assert {key: line["outcome"] for key, line in world.run(prefix="holiday").items()} == {
        "holiday 1/a.jpg": "skipped",
        "holiday 1/b.jpg": "skipped",
        "holiday/a.jpg": "made",
    }


def test_children_divide_the_keys_and_a_later_job_with_fewer_children_skips_all_pictures(world: World) -> None:
    keys = {f"{number}.jpg" for number in range(20)}
    for key in keys:
        world.put(key, pictures.jpeg())
    shares = [set(world.run(child=child, children=3)) for child in range(3)]
    assert all(shares)
    assert sum(map(len, shares)) == len(keys)
    assert set().union(*shares) == keys
    later = [world.run(child=child, children=2, job="later") for child in (0, 1)]
    assert {line["outcome"] for lines in later for line in lines.values()} == {"skipped"}


# -- bad pictures


BAD_PICTURES: dict[str, tuple[bytes, str]] = {
    "empty.jpg": (b"", "The file is empty."),
    "folder/": (b"", "This is a folder, not a file."),
    "letter.jpg": (b"Dear Sir or Madam", "not a picture"),
    "cut.jpg": (pictures.jpeg()[:900], "damaged"),
    "bomb.png": (hostile.bomb("PNG"), "The picture has 120,000,000 pixels; the limit is 1,000,000."),
    "huge.jpg": (bytes(300_001), "The file has 300,001 bytes; the limit is 300,000."),
    "k" * 1000: (pictures.jpeg(), "The key of its thumbnail would have 1,052 bytes; S3 allows 1,024."),
}
"""For each key, the content of the picture, and a part of the reason why the job rejects the picture."""


def test_bad_pictures_are_rejected_with_a_reason_and_the_good_picture_gets_a_thumbnail(world: World) -> None:
    for key, (body, _) in BAD_PICTURES.items():
        world.put(key, body)
    world.put("good.jpg", pictures.jpeg())
    world.put("old.jpg", pictures.jpeg(), StorageClass="GLACIER")
    lines = world.run()
    assert world.complete
    assert lines.pop("good.jpg")["outcome"] == "made"
    assert lines.pop("old.jpg") == {"outcome": "rejected", "reason": "The file is in an archive; restore it first."}
    assert set(lines) == set(BAD_PICTURES)
    for key, (_, reason) in BAD_PICTURES.items():
        assert lines[key]["outcome"] == "rejected"
        assert reason in lines[key]["reason"], key


def test_a_picture_that_is_removed_during_the_run_is_skipped(world: World) -> None:
    world.put("a.jpg", pictures.jpeg())
    _act_before_each_read(world, lambda: world.s3.delete_object(Bucket=INPUT, Key="a.jpg"))
    assert world.run()["a.jpg"] == {"outcome": "skipped", "reason": "The picture was removed while the job ran."}
    assert world.complete


def _act_before_each_read(world: World, action: Callable[[], object]) -> None:
    read = world.buckets.read

    def act_and_read(key: str, limits: Limits) -> tuple[bytes, str]:
        action()
        return read(key, limits)

    world.buckets.read = act_and_read  # type: ignore[method-assign]


# -- failures of AWS


def test_a_picture_for_which_aws_fails_is_in_the_manifest_and_the_others_get_thumbnails(world: World) -> None:
    for number in range(8):
        world.put(f"{number}.jpg", pictures.jpeg())
    read = world.buckets.read

    def deny_one_key(key: str, limits: Limits) -> tuple[bytes, str]:
        if key == "3.jpg":
            raise ACCESS_DENIED
        return read(key, limits)

    world.buckets.read = deny_one_key  # type: ignore[method-assign]
    lines = world.run()
    assert lines["3.jpg"]["outcome"] == "failed"
    assert "AccessDenied" in lines["3.jpg"]["reason"]
    assert world.totals["made"] == 7


def test_the_child_stops_after_many_failures_of_aws(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        world.put(f"{number}.jpg", b"x")
    monkeypatch.setattr(job, "MAX_FAILURES", 5)

    def deny_every_key(*_: Any) -> tuple[bytes, str]:
        raise ACCESS_DENIED

    monkeypatch.setattr(world.buckets, "read", deny_every_key)
    world.run()
    assert not world.complete
    assert 5 <= world.totals["failed"] <= 5 + job.MAX_PENDING


def test_a_child_is_not_complete_if_its_list_of_pictures_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("a.jpg", pictures.jpeg())
    list_pictures = world.buckets.pictures

    def list_and_fail(*arguments: Any) -> Iterator[Any]:
        yield from list_pictures(*arguments)
        raise ACCESS_DENIED

    monkeypatch.setattr(world.buckets, "pictures", list_and_fail)
    assert world.run()["a.jpg"]["outcome"] == "made"
    assert not world.complete


def test_a_picture_that_reveals_a_bug_fails_and_the_others_get_thumbnails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        world.put(f"{number}.jpg", pictures.jpeg())
    write = world.buckets.write

    def raise_for_one_key(name: str, thumbnail: Any) -> str:
        if name.startswith("3"):
            raise KeyError("size")
        return write(name, thumbnail)

    monkeypatch.setattr(world.buckets, "write", raise_for_one_key)
    line = world.run()["3.jpg"]
    assert (line["outcome"], line["reason"]) == ("failed", "unexpected error: KeyError('size')")
    assert "in raise_for_one_key" in line["traceback"]
    assert (world.complete, world.totals["made"]) == (True, 7)


def test_a_bug_in_the_lists_ends_the_child_and_its_manifest_has_the_finished_pictures(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.put("a.jpg", pictures.jpeg())
    list_pictures = world.buckets.pictures

    def list_and_raise(*arguments: Any) -> Iterator[Any]:
        yield from list_pictures(*arguments)
        raise KeyError("ETag")

    monkeypatch.setattr(world.buckets, "pictures", list_and_raise)
    assert world.run()["a.jpg"]["outcome"] == "made"
    assert not world.complete
    assert "unexpected error: KeyError('ETag')" in capsys.readouterr().out


# -- the job is stopped


def test_after_a_stop_the_child_finishes_the_pictures_in_progress_and_begins_no_other_picture(world: World) -> None:
    for number in range(30):
        world.put(f"{number:02}.jpg", pictures.jpeg())
    read = world.buckets.read
    _act_before_each_read(world, world.stopping.set)
    lines = world.run()
    assert not world.complete
    assert 1 <= world.totals["made"] <= job.MAX_PENDING + 1
    assert world.thumbnails() == {line["thumbnail"] for line in lines.values()}
    world.stopping.clear()
    world.buckets.read = read  # type: ignore[method-assign]
    assert {line["outcome"] for line in world.run().values()} == {"made", "skipped"}
    assert len(world.thumbnails()) == 30


def test_after_a_stop_the_child_abandons_slow_pictures_and_drops_waiting_pictures(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        world.put(f"{number}.jpg", pictures.jpeg())
    reads_may_end, begun_reads = threading.Event(), []

    def stop_when_pictures_wait() -> None:
        begun_reads.append(1)
        wait_for(lambda: len(world.child._pending) > job.MAX_PENDING, "more than MAX_PENDING pictures")
        world.stopping.set()
        reads_may_end.wait()

    _act_before_each_read(world, stop_when_pictures_wait)
    monkeypatch.setattr(job, "STOP_SECONDS", 0.1)
    assert world.run() == {}
    assert world.child.abandoned
    reads_may_end.set()
    wait_for(lambda: all(future.done() for future in world.child._pending), "the end of the abandoned pictures")
    assert len(begun_reads) == job.THREADS


def test_stopped_children_with_several_ranges_lose_no_picture_and_make_none_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "KEYS_PER_RANGE", 4)
    monkeypatch.setattr(keys, "RANGES_PER_CHILD", 2)
    for number in range(40):
        world.put(f"{number:02}.jpg", pictures.jpeg())
    written_keys = world.record_keys("PutObject")
    read = world.buckets.read
    for child in range(3):
        _act_before_each_read(world, world.stopping.set)
        world.run(child=child, children=3)
        assert not world.complete
        world.stopping.clear()
        world.buckets.read = read  # type: ignore[method-assign]
    world.put("03-late.jpg", pictures.jpeg())
    for child in range(3):
        world.run(child=child, children=3)
        assert world.complete
    thumbnails = [key for key in written_keys if key.startswith("thumbnails/")]
    assert len(thumbnails) == len(set(thumbnails)) == len(world.thumbnails()) == 41


# -- the manifest


def test_a_long_manifest_is_uploaded_in_parts(world: World) -> None:
    manifest = Manifest(world.s3, repetition(world.stopping), OUTPUT, "manifests/long")
    largest = 0
    for number in range(100_000):
        manifest.add("skipped", f"{'a' * 200}/{number:06}")
        largest = max(largest, len(manifest._buffer))
    assert largest <= PART_BYTES + 300
    manifest.close(complete=True)
    lines = world.read("manifests/long.jsonl").splitlines()
    assert len(lines) == 100_000
    assert json.loads(lines[99_999]) == {"outcome": "skipped", "key": f"{'a' * 200}/099999"}


def test_progress_is_reported_every_few_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(5):
        world.put(f"{number}.jpg", pictures.jpeg())
    monkeypatch.setattr(job, "PROGRESS_SECONDS", 0)
    world.run()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["message"] for line in lines[-2:]] == ["progress", "ended"]
    assert lines[-1]["made"] == 5
    assert [line["made"] for line in lines] == sorted(line["made"] for line in lines)
