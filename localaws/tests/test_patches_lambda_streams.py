"""Tests of the patches of streams. Each test fails if its patch does not work or is not needed."""

import time

import pytest
from conftest import Client
from helpers import create_function, wait_for
from ministack.services import dynamodb

from localaws.patches import dynamodb as patches

CODE = """
calls = []
def handler(event, context):
    records = event["Records"]
    calls.append(len(records))
    print("call", len(calls))
    failed = [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}] if len(calls) == 1 else []
    return {"batchItemFailures": failed}
"""


def number_of_calls(client: Client, name: str, *, reports: bool) -> int:
    """Let the function fail once for a record of a stream. Return the number of its calls."""
    client("logs").create_log_group(logGroupName=name)
    create_function(client, name, {"index.py": CODE}, actions="*", LoggingConfig={"LogGroup": name})
    dynamodb = client("dynamodb")
    table = dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    client("lambda").create_event_source_mapping(
        FunctionName=name,
        EventSourceArn=table["LatestStreamArn"],
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"] if reports else [],
    )
    dynamodb.put_item(TableName=name, Item={"id": {"S": "a"}})

    def calls() -> int:
        events = client("logs").filter_log_events(logGroupName=name)["events"]
        return sum("call" in event["message"] for event in events)

    wait_for(calls)
    time.sleep(3)  # the engine waits for one second before it retries
    return calls()


def test_failed_records_of_a_stream_are_retried(stock: Client, patched: Client) -> None:
    assert number_of_calls(stock, "stream-stock", reports=True) == 1
    assert number_of_calls(patched, "stream-patched", reports=True) == 2
    assert number_of_calls(patched, "stream-without-reports", reports=False) == 1


def test_a_stream_keeps_its_newest_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """This test calls the functions of ministack in this process, because it changes the number of records."""
    monkeypatch.setattr(dynamodb, "_emit_stream_event", dynamodb._emit_stream_event)
    monkeypatch.setattr(patches, "MAX_STREAM_RECORDS", 10)
    monkeypatch.setattr(patches, "_EXTRA_STREAM_RECORDS", 2)
    for name in ("_tables", "_stream_records", "_stream_trimmed"):
        monkeypatch.setattr(dynamodb, name, type(getattr(dynamodb, name))())
    dynamodb._tables["t"] = {
        "StreamSpecification": {"StreamEnabled": True},
        "TableArn": "t",
        "pk_name": "id",
        "sk_name": None,
    }

    def write(numbers: range) -> None:
        for number in numbers:
            dynamodb._emit_stream_event("t", "INSERT", None, {"id": {"N": str(number)}})

    write(range(30))
    assert dynamodb.stream_end_position("t") - dynamodb.stream_start_position("t") == 30
    patches.delete_old_stream_records()
    write(range(30, 60))
    start, end = dynamodb.stream_start_position("t"), dynamodb.stream_end_position("t")
    assert end == 60, "a reader would get records twice, because it counts them from the beginning of the stream"
    assert 10 <= end - start <= 12
    (newest,) = dynamodb.stream_records_since("t", 59, 10)
    assert newest["dynamodb"]["NewImage"] == {"id": {"N": "59"}}
