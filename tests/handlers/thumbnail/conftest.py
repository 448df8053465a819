"""Fixtures that run the thumbnail function in this process. The library moto imitates S3 and DynamoDB."""

import itertools
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest
from moto import mock_aws

from tests.handlers.lambda_function import CONTEXT, imported_handler, plain_values

UPLOADS, THUMBNAILS, TABLE = "uploads", "thumbnails", "metadata"
ENVIRONMENT = {
    "THUMBNAILS_BUCKET": THUMBNAILS,
    "METADATA_TABLE": TABLE,
    "MAX_EDGE": "64",
    "MAX_BYTES": "300000",
    "MAX_PIXELS": "1000000",
    "MAX_DECODING_BYTES": "40000000",
    "POWERTOOLS_SERVICE_NAME": "test-thumbnail",
}


@pytest.fixture(scope="session")
def function() -> Iterator[ModuleType]:
    """Return the handler's module, imported with the environment variables that the stack sets in Lambda."""
    with imported_handler("thumbnail", ENVIRONMENT) as handler:
        yield handler


@cache
def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]


_sequencers = itertools.count(0x55AED6DCD90281E5)


def record(name: str, key: str, **attributes: Any) -> dict[str, Any]:
    """Return a record of an event notification of S3.

    Its sequencer is later than the sequencers of all earlier calls. The record of a restoration has no sequencer.
    """
    if not name.startswith("ObjectRestore"):
        attributes["sequencer"] = f"{next(_sequencers):018X}"
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": UPLOADS}, "object": {"key": quote_plus(key, safe="/"), **attributes}},
    }


class World:
    """The two buckets and the table, and the events that S3 sends."""

    def __init__(self, function: ModuleType) -> None:
        self.function = function
        self.s3, self.dynamodb = _client("s3"), _client("dynamodb")
        self.function.metrics.clear_metrics()
        self.create_stores()

    def create_stores(self) -> None:
        for bucket in (UPLOADS, THUMBNAILS):
            self.s3.create_bucket(Bucket=bucket)
        self.dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "image_key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "image_key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def put(self, key: str, body: bytes, **options: Any) -> dict[str, Any]:
        """Upload a file, and return S3's record of it."""
        answer = self.s3.put_object(Bucket=UPLOADS, Key=key, Body=body, **options)
        return record("ObjectCreated:Put", key, eTag=answer["ETag"].strip('"'), size=len(body))

    def delete(self, key: str, **options: Any) -> dict[str, Any]:
        """Delete an upload, and return S3's record of it."""
        self.s3.delete_object(Bucket=UPLOADS, Key=key, **options)
        return record("ObjectRemoved:Delete", key)

    def restore(self, key: str) -> dict[str, Any]:
        """Restore an archived upload, and return S3's record of it."""
        self.s3.restore_object(Bucket=UPLOADS, Key=key, RestoreRequest={"Days": 1})
        return record("ObjectRestore:Completed", key)

    def deliver(self, *records: dict[str, Any]) -> None:
        """Run the function on one event."""
        self.function.handler({"Records": list(records)}, CONTEXT)

    def settle(self, record: dict[str, Any]) -> None:
        """Run only the function's `settle` for one record. A test can call this while another invocation runs."""
        (change,) = self.function.parse_changes({"Records": [record]})
        self.function.settle(change, self.function.uploads, self.function.store, self.function.limits)

    def items(self) -> dict[str, dict[str, Any]]:
        """Return the item of each key. Its attributes are plain values."""
        items = map(plain_values, self.dynamodb.scan(TableName=TABLE)["Items"])
        return {item["image_key"]: item for item in items}

    def item(self, key: str) -> dict[str, Any]:
        return self.items()[key]

    def thumbnails(self) -> dict[str, bytes]:
        """Return the key and the bytes of each object in the thumbnails bucket."""
        entries = self.s3.list_objects_v2(Bucket=THUMBNAILS).get("Contents", [])
        keys = [entry["Key"] for entry in entries]
        return {key: self.s3.get_object(Bucket=THUMBNAILS, Key=key)["Body"].read() for key in keys}

    def assert_made(self, key: str) -> None:
        """Assert that the picture with this key has a thumbnail, and that there are no other thumbnails."""
        item = self.item(key)
        assert item["status"] == "made"
        assert list(self.thumbnails()) == [item["thumbnail_key"]]

    def assert_empty(self) -> None:
        """Assert that there are no items and no thumbnails."""
        assert self.items() == {}
        assert self.thumbnails() == {}


@pytest.fixture
def world(function: ModuleType) -> Iterator[World]:
    with mock_aws():
        yield World(function)
