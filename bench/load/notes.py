"""Measure one page of the API's list with 1,000 notes and with 1,000,000 notes. It needs 5 GB of memory.

    python -m bench.load.notes                 1,000 and 1,000,000 notes
    python -m bench.load.notes --notes 100000  1,000 and 100,000 notes

The API's function and the table of the local AWS run in one process, without HTTP. So the program measures two times
separately: the time of the table, and the time of the function. DynamoDB reads an index in the order of its keys, and
stops after `Limit` items. The local AWS sorts all items of the index for each page, so its own time grows.

The program exits with 1 if the function's request or its work grows with the number of notes: each request must have
the same Limit, and the table must report that it has evaluated no more items than that (`ScannedCount`).
"""

# ruff: noqa: PLC0415 - the variables of the environment must be set before the import of the function

import argparse
import asyncio
import gc
import json
import os
import statistics
import sys
import time
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psutil

from bench._measure import print_table, show_progress
from bench.load._local import ROOT, print_machine

sys.path.insert(0, str(ROOT / "lambda_src"))
PAGE = 100
PAGES = 2
"""The first pages of the list: the second one begins where the first one ends."""
TABLE = {
    "TableName": "notes",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "collection", "created")],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "newest",
            "KeySchema": [
                {"AttributeName": "collection", "KeyType": "HASH"},
                {"AttributeName": "created", "KeyType": "RANGE"},
            ],
            "Projection": {
                "ProjectionType": "INCLUDE",
                "NonKeyAttributes": ["created_at", "updated_at", "title", "tags", "version"],
            },
        }
    ],
}
"""The table of stacks/api.py."""


class Table:
    """The table of the local AWS in this process. It records the requests, and its own time."""

    def __init__(self) -> None:
        """Create the table."""
        from ministack.services import dynamodb

        self._handle = dynamodb.handle_request
        self.requests: list[dict[str, Any]] = []
        self.evaluated: list[int] = []
        self.seconds = 0.0
        self.send("CreateTable", TABLE)

    def send(self, action: str, request: Any) -> Any:
        """Send a request to the table, and return its answer."""
        headers = {"x-amz-target": f"DynamoDB_20120810.{action}"}
        status, _, body = asyncio.run(self._handle("POST", "/", headers, json.dumps(request).encode(), {}))
        if status != 200:
            sys.exit(f"the table refused {action}: {body!r}")
        return json.loads(body)

    def respond(self, request: Any, event_name: str, **_: Any) -> Any:
        """Answer a request of the function. Because of this answer, botocore sends no request."""
        from botocore.awsrequest import AWSResponse

        document = json.loads(request.body)
        self.requests.append(document)
        started = time.perf_counter()
        answer = self.send(event_name.rpartition(".")[2], {**document, "ReturnConsumedCapacity": "TOTAL"})
        self.seconds += time.perf_counter() - started
        self.evaluated.append(answer["ScannedCount"])
        raw = SimpleNamespace(stream=lambda **_: iter([json.dumps(answer).encode()]))
        return AWSResponse(request.url, 200, {"content-type": "application/x-amz-json-1.0"}, raw)  # type: ignore[arg-type, unused-ignore]

    def add_notes(self, first: int, end: int) -> None:
        """Add the notes with these numbers, without requests, because a million requests need many minutes."""
        from ministack.services import dynamodb

        table = dynamodb._tables["notes"]  # noqa: SLF001 - the program of the local AWS itself does the same
        for number in range(first, end):
            note = _note(number)
            dynamodb._set_item(table, note["id"]["S"], "__no_sort__", note)  # noqa: SLF001
            if number % 25_000 == 0:
                show_progress(f"{number:,} of {end:,} notes")


def _note(number: int) -> dict[str, Any]:
    note_id = str(UUID(int=number, version=4))
    stamp = (
        f"2026-11-{1 + number // 86_400:02}T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.000000Z"
    )
    return {
        "id": {"S": note_id},
        "collection": {"S": "notes"},
        "created": {"S": f"{stamp}#{note_id}"},
        "created_at": {"S": stamp},
        "updated_at": {"S": stamp},
        "title": {"S": "Remember"},
        "body": {"S": "{}"},
        "tags": {"L": []},
        "version": {"N": "1"},
    }


def main() -> int:
    """Measure, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description="Measure one page of the API's list.")
    parser.add_argument("--notes", type=int, default=1_000_000, help="number of notes in the second row")
    arguments = parser.parse_args()
    os.environ.update(
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",  # noqa: S106 - no secret
        POWERTOOLS_SERVICE_NAME="api",
        POWERTOOLS_TRACE_DISABLED="true",
        POWERTOOLS_LOG_LEVEL="WARNING",
        NOTES_TABLE="notes",
        ALLOWED_ORIGIN="*",
    )
    from api import handler, routes

    table, stored = Table(), 0
    rows: list[list[str]] = []
    dynamodb = routes.store._dynamodb  # noqa: SLF001 - its answers come from the table
    dynamodb.meta.events.register("before-send.dynamodb", table.respond)
    for notes in (1_000, arguments.notes):
        table.add_notes(stored, notes)
        stored = notes
        if not rows:
            _measure_pages(table, handler)  # the first requests are slower, because they import modules
        gc.freeze()  # otherwise the garbage collector visits the whole table during a request
        rows.append([f"{notes:,}", *_measure_pages(table, handler)])
    show_progress("")
    count = table.send("DescribeTable", {"TableName": "notes"})["Table"]["ItemCount"]
    print_table([["notes", "items read", "bytes of a page", "function ms", "local table ms", "MiB"], *rows])
    print(f"Each page has {PAGE} notes. The times are medians of {PAGES} pages. MiB: the memory of this process.")
    print_machine()
    limits = {request.get("Limit") for request in table.requests}
    constant = limits == {PAGE} and max(table.evaluated) == PAGE and count == arguments.notes
    print(f"{'PASS' if constant else 'FAIL'}  each page is one request, and reads {PAGE} items at most")
    return 0 if constant else 1


def _measure_pages(table: Table, handler: Any) -> list[str]:
    function, engine, cursor, size = [], [], None, 0
    evaluated = len(table.evaluated)
    for _ in range(PAGES):
        table.seconds, started = 0.0, time.perf_counter()
        answer = handler.handler(
            _list_event(cursor),
            SimpleNamespace(
                function_name="api", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda", aws_request_id="x"
            ),
        )
        function.append((time.perf_counter() - started - table.seconds) * 1000)
        engine.append(table.seconds * 1000)
        cursor, size = json.loads(answer["body"])["next_cursor"], len(answer["body"])
    read = max(table.evaluated[evaluated:])
    memory = psutil.Process().memory_info().rss / 1024**2
    times = [f"{statistics.median(function):.1f}", f"{statistics.median(engine):.1f}"]
    return [str(read), f"{size:,}", *times, f"{memory:,.0f}"]


def _list_event(cursor: str | None) -> dict[str, Any]:
    query = {"limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
    return {
        "resource": "/v1/notes",
        "path": "/v1/notes",
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()},
        "requestContext": {"requestId": "x", "identity": {"apiKeyId": "key", "sourceIp": "192.0.2.1"}},
        "body": None,
        "isBase64Encoded": False,
    }


if __name__ == "__main__":
    sys.exit(main())
