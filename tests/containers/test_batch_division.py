"""These tests divide the keys among the children of a job. moto imitates S3, and no picture is decoded."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

import batch.keys
from batch import division
from batch.buckets import Buckets
from batch.division import Division, StoppedError
from batch.failures import repetition
from batch.keys import Share, thumbnail_name, with_existing_thumbnails
from tests.support.keys import ODD_KEYS

INPUT, OUTPUT, FOLDER, FILE = "input", "output", "thumbnails/64/", "manifests/job/ranges.jsonl"


@dataclass
class World:
    """Both buckets, and methods that fill them, and divide and list the keys."""

    s3: Any = field(default_factory=lambda: boto3.Session("test", "test", region_name="us-east-1").client("s3"))
    stopping: threading.Event = field(default_factory=threading.Event)
    requests: Counter[str] = field(default_factory=Counter)
    """Number of requests by operation."""

    def __post_init__(self) -> None:
        self.s3.create_bucket(Bucket=INPUT)
        self.s3.create_bucket(Bucket=OUTPUT)
        repeat = repetition(self.stopping)
        self.buckets = Buckets(self.s3, repeat, pictures=INPUT, thumbnails=OUTPUT, folder=FOLDER)
        self.division = Division(self.s3, repeat, self.buckets, bucket=OUTPUT, key=FILE, stopping=self.stopping)
        self.s3.meta.events.register("before-call.s3", self._count)

    def _count(self, model: Any, **_: Any) -> None:
        self.requests[model.name] += 1

    def put(self, *keys: str) -> None:
        for key in keys:
            self.s3.put_object(Bucket=INPUT, Key=key, Body=b"x")

    def share(self, child: int, children: int, prefix: str = "") -> Share:
        return self.division.share(prefix, child=child, children=children)

    def listed(self, share: Share, prefix: str = "") -> dict[str, bool]:
        """Return the keys of the share, and whether their thumbnails exist. The job lists its share in this way."""
        found: dict[str, bool] = {}
        for keys in share.ranges:
            pictures = [each for each in self.buckets.pictures(prefix, keys) if share.contains(each.key)]
            names = self.buckets.thumbnail_names(prefix, keys.after)
            found |= {picture.key: exists for picture, exists in with_existing_thumbnails(pictures, names)}
        return found


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Yield a world with small ranges and short pauses."""
    monkeypatch.setattr(batch.keys, "KEYS_PER_RANGE", 2)
    monkeypatch.setattr(batch.keys, "RANGES_PER_CHILD", 1)
    monkeypatch.setattr(division, "POLL_SECONDS", 0.01)
    with mock_aws():
        yield World()


@pytest.mark.parametrize("children", [1, 2, 3, 5])
def test_the_shares_contain_every_key_once_and_know_its_thumbnail(world: World, children: int) -> None:
    world.put(*ODD_KEYS)
    etag = world.s3.head_object(Bucket=INPUT, Key=ODD_KEYS[0])["ETag"].strip('"')
    with_thumbnail = set(ODD_KEYS[::2])
    for key in with_thumbnail:
        world.s3.put_object(Bucket=OUTPUT, Key=FOLDER + thumbnail_name(key, etag), Body=b"x")
    found = [world.listed(world.share(child, children)) for child in range(children)]
    assert sum(map(len, found)) == len(ODD_KEYS)
    assert {key: exists for part in found for key, exists in part.items()} == {
        key: key in with_thumbnail for key in ODD_KEYS
    }


def test_a_key_that_begins_with_the_end_of_a_range_keeps_its_thumbnail(world: World) -> None:
    """The thumbnails of the next range begin directly after those of the end."""
    keys = ["a", "b", "b!", "b.jpg", "b~", "c"]
    world.put(*keys)
    etag = world.s3.head_object(Bucket=INPUT, Key="a")["ETag"].strip('"')
    for key in keys:
        world.s3.put_object(Bucket=OUTPUT, Key=FOLDER + thumbnail_name(key, etag), Body=b"x")
    found = [world.listed(world.share(child, 3)) for child in range(3)]
    assert {key: exists for part in found for key, exists in part.items()} == dict.fromkeys(keys, True)


def test_pictures_that_come_and_go_after_the_division_are_in_one_share_or_in_none(world: World) -> None:
    world.put(*(f"{number}0" for number in range(1, 9)))
    shares = [world.share(child, 3) for child in range(3)]
    world.put("05", "25", "99")
    world.s3.delete_object(Bucket=INPUT, Key="40")  # the end of a range
    found = [key for share in shares for key in world.listed(share)]
    assert sorted(found) == ["05", "10", "20", "25", "30", "50", "60", "70", "80", "99"]


def test_only_one_child_lists_all_keys_and_later_attempts_use_its_result(world: World) -> None:
    world.put(*(f"{number}" for number in range(8)))
    world.requests.clear()
    first = [world.share(child, 4) for child in range(4)]
    assert world.requests["ListObjectsV2"] == 1
    world.put("a", "b", "c")
    assert [world.share(child, 4) for child in range(4)] == first


def test_a_child_lists_only_the_pages_of_its_ranges(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put(*(f"{number:02}" for number in range(16)))
    share = [world.share(child, 4) for child in range(2)][1]
    monkeypatch.setattr(world.s3, "list_objects_v2", _two_keys_per_page(world.s3.list_objects_v2))
    world.requests.clear()
    assert list(world.listed(share)) == ["02", "03", "10", "11"]
    assert world.requests["ListObjectsV2"] == 4, "one page of pictures and one of thumbnails for each of two ranges"


def _two_keys_per_page(list_objects: Any) -> Any:
    return lambda **request: list_objects(**request, MaxKeys=2)


def test_the_division_respects_the_prefix(world: World) -> None:
    world.put("a/1", "b/1", "b/2", "b/3", "c/1")
    found = [key for child in (0, 1) for key in world.listed(world.share(child, 2, "b/"), "b/")]
    assert sorted(found) == ["b/1", "b/2", "b/3"]


def test_the_other_children_wait_for_the_result_of_child_0(world: World) -> None:
    world.put(*(f"{number}" for number in range(8)))
    shares: list[Share] = []
    waiting = threading.Thread(target=lambda: shares.append(world.share(1, 2)))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    assert world.requests["ListObjectsV2"] == 0
    world.share(0, 2)
    waiting.join(10)
    assert [*world.listed(shares[0])] == ["2", "3", "6", "7"]


def test_if_child_0_never_comes_another_child_lists_the_keys(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(division, "WAIT_SECONDS", 0.1)
    world.put(*(f"{number}" for number in range(8)))
    started = time.monotonic()
    assert [*world.listed(world.share(2, 4))] == ["4", "5"]
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize("code", ["PreconditionFailed", "ConditionalRequestConflict"])
def test_if_two_children_list_the_keys_both_use_the_first_result(
    world: World, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    world.put("1", "2", "3", "4", "5")
    write = world.division._write

    def write_too_late(_ends: list[str]) -> None:
        write(["4"])
        monkeypatch.setattr(world.division, "_write", write)
        if code == "ConditionalRequestConflict":
            error = ClientError({"Error": {"Code": code, "Message": "conflict"}}, "PutObject")
            monkeypatch.setattr(world.s3, "put_object", lambda **_: (_ for _ in ()).throw(error))
        write(["2", "4"])

    monkeypatch.setattr(world.division, "_write", write_too_late)
    assert [*world.listed(world.share(0, 2))] == ["1", "2", "3", "4"]


def test_a_refused_file_is_an_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")
    monkeypatch.setattr(world.s3, "get_object", lambda **_: (_ for _ in ()).throw(denied))
    with pytest.raises(ClientError, match="AccessDenied"):
        world.share(0, 2)


@pytest.mark.parametrize("child", [0, 1])
def test_a_child_that_must_stop_neither_waits_nor_lists_to_the_end(world: World, child: int) -> None:
    world.put(*(f"{number}" for number in range(8)))
    world.stopping.set()
    with pytest.raises(StoppedError):
        world.share(child, 2)
    assert "Contents" not in world.s3.list_objects_v2(Bucket=OUTPUT)
