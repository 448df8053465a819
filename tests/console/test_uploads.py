"""These tests check how the page of the thumbnail example reads the bucket and the table."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest

from console.uploads import Pictures, read_pictures


def _upload(key: str, second: int, etag: str = "1") -> dict[str, Any]:
    return {"Key": key, "Size": 9, "ETag": f'"{etag}"', "LastModified": datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)}


def _item(key: str, **more: str) -> dict[str, dict[str, str]]:
    values = {"status": "made", "etag": "1", "created_at": "2026-01-01T00:00:00+00:00", **more}
    return {"image_key": {"S": key}, "size_bytes": {"N": "9"}, **{name: {"S": value} for name, value in values.items()}}


def _read(
    uploads: list[Any], items: list[Any], *, further: list[Any] | None = None, truncated: bool = False
) -> Pictures:
    s3, dynamodb = Mock(), Mock()
    s3.list_objects_v2.return_value = {"Contents": uploads, "IsTruncated": truncated}
    dynamodb.scan.return_value = {"Items": items, **({} if further is None else {"LastEvaluatedKey": {}})}
    dynamodb.batch_get_item.return_value = {"Responses": {"table": further or []}}
    return read_pictures(s3, dynamodb, bucket="bucket", table="table", count=2)


def test_the_newest_pictures_come_first() -> None:
    pictures = _read([_upload("a", 1), _upload("b", 3), _upload("c", 2)], [_item("a"), _item("b"), _item("c")])
    assert [picture.key for picture in pictures.newest] == ["b", "c"]
    assert (dict(pictures.states), pictures.has_more) == ({"made": 3}, False)


@pytest.mark.parametrize(
    ("uploads", "items", "state"),
    [
        ([_upload("a", 1)], [_item("a")], "made"),
        ([_upload("a", 1)], [_item("a", status="rejected")], "rejected"),
        ([_upload("a", 1)], [], "being processed"),
        ([_upload("a", 1, etag="2")], [_item("a")], "being processed"),
        ([], [_item("a")], "being removed"),
    ],
)
def test_the_state_compares_the_upload_with_its_item(uploads: list[Any], items: list[Any], state: str) -> None:
    assert [picture.state for picture in _read(uploads, items).newest] == [state]


def test_an_item_outside_the_first_part_of_the_table_is_found() -> None:
    pictures = _read([_upload("a", 1)], [], further=[_item("a")])
    assert ([picture.state for picture in pictures.newest], pictures.has_more) == (["made"], True)


def test_an_item_whose_upload_was_not_listed_is_not_being_removed() -> None:
    pictures = _read([_upload("a", 1)], [_item("a"), _item("b")], truncated=True)
    assert ([picture.key for picture in pictures.newest], pictures.has_more) == (["a"], True)
