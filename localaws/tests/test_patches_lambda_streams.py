"""Tests of the patches of streams. Each test compares the stock engine with the patched engine."""

import time

from conftest import Client
from helpers import create_function, wait_for

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
