"""The thumbnail function in this process, on moto's S3 and DynamoDB."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest
from moto import mock_aws

from thumbnail.events import parse_changes
from thumbnail.settle import settle

UPLOADS, THUMBNAILS, TABLE = "uploads", "thumbnails", "metadata"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "THUMBNAILS_BUCKET": THUMBNAILS,
    "METADATA_TABLE": TABLE,
    "MAX_EDGE": "64",
    "MAX_BYTES": "300000",
    "MAX_PIXELS": "1000000",
    "MAX_DECODING_BYTES": "40000000",
    "POWERTOOLS_SERVICE_NAME": "test-thumbnail",
    "POWERTOOLS_METRICS_NAMESPACE": "Test",
    "POWERTOOLS_TRACE_DISABLED": "true",
}
CONTEXT = SimpleNamespace(
    function_name="test", memory_limit_in_mb=1769, invoked_function_arn="arn:test", aws_request_id="request"
)


@pytest.fixture(scope="session")
def function() -> Iterator[ModuleType]:
    """The handler's module, imported as Lambda imports it."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(ENVIRONMENT)
    from thumbnail import handler  # noqa: PLC0415 - it reads its environment when imported

    yield handler
    os.environ.clear()
    os.environ.update(before)


@cache
def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]


_sequence = itertools.count(0x55AED6DCD90281E5)


def record(name: str, key: str, **attributes: Any) -> dict[str, Any]:
    """A record of an event notification, later than those before; restorations have no sequencer."""
    if not name.startswith("ObjectRestore"):
        attributes["sequencer"] = f"{next(_sequence):018X}"
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": UPLOADS}, "object": {"key": quote_plus(key, safe="/"), **attributes}},
    }


@dataclass
class World:
    """The two buckets and the table, and the events that S3 would send."""

    function: ModuleType
    s3: Any = field(default_factory=partial(_client, "s3"))
    dynamodb: Any = field(default_factory=partial(_client, "dynamodb"))

    def __post_init__(self) -> None:
        self.function.metrics.clear_metrics()
        for bucket in (UPLOADS, THUMBNAILS):
            self.s3.create_bucket(Bucket=bucket)
        self.dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "image_key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "image_key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def put(self, key: str, body: bytes, **options: Any) -> dict[str, Any]:
        """Upload, and get the record that S3 sends."""
        put = self.s3.put_object(Bucket=UPLOADS, Key=key, Body=body, **options)
        return record("ObjectCreated:Put", key, eTag=put["ETag"].strip('"'), size=len(body))

    def delete(self, key: str, **options: Any) -> dict[str, Any]:
        """Delete, and get the record that S3 sends."""
        self.s3.delete_object(Bucket=UPLOADS, Key=key, **options)
        return record("ObjectRemoved:Delete", key)

    def deliver(self, *records: dict[str, Any]) -> None:
        """Run the function on one event."""
        self.function.handler({"Records": list(records)}, CONTEXT)

    def settle(self, record: dict[str, Any]) -> None:
        """Run the heart of the function on one record: a second invocation, while a first is under way."""
        (change,) = parse_changes({"Records": [record]})
        settle(change, self.function.uploads, self.function.store, self.function.limits)

    def item(self, key: str) -> dict[str, Any] | None:
        """The key's item, its attributes as plain values."""
        found = self.dynamodb.get_item(TableName=TABLE, Key={"image_key": {"S": key}}).get("Item")
        return found and {name: next(iter(value.values())) for name, value in found.items()}

    def thumbnails(self) -> dict[str, bytes]:
        """Every thumbnail there is."""
        found = self.s3.list_objects_v2(Bucket=THUMBNAILS).get("Contents", [])
        return {one["Key"]: self.s3.get_object(Bucket=THUMBNAILS, Key=one["Key"])["Body"].read() for one in found}


@pytest.fixture
def world(function: ModuleType) -> Iterator[World]:
    with mock_aws():
        yield World(function)
