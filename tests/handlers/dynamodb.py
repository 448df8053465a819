"""Tables of DynamoDB for tests. The library moto imitates DynamoDB in the test process."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.responses import DynamoHandler


@contextmanager
def tables(keys: Mapping[str, Sequence[str]]) -> Iterator[Any]:
    """Create these tables, and yield a client. `keys` has the attributes in the key of each table.

    Use the tables for all tests of a module, because moto needs much time for a new table.
    """
    call_action, lock = DynamoHandler.call_action, threading.Lock()

    def call_one_action_at_a_time(handler: DynamoHandler) -> Any:
        with lock:  # DynamoDB checks a condition and writes in one atomic step; moto does not
            return call_action(handler)

    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(DynamoHandler, "call_action", call_one_action_at_a_time)
        client = boto3.client("dynamodb")
        for table, names in keys.items():
            key_schema: Any = [
                {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
            ]
            client.create_table(
                TableName=table,
                KeySchema=key_schema,
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
                BillingMode="PAY_PER_REQUEST",
            )
        yield client


def clear_tables() -> None:
    """Remove all items of all tables."""
    for table in get_backend("dynamodb")[DEFAULT_ACCOUNT_ID]["us-east-1"].tables.values():
        table.items.clear()
