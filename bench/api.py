"""How long the API's function takes for a request, DynamoDB left out.

    python bench/api.py          a table
    python bench/api.py --check  the same, and exit 1 where a target is missed

DynamoDB answers within the process, at once, in place of the network; botocore's work of writing requests, signing them
and reading answers is measured, for it is most of it. Next to the requests stands what cannot be saved: a call by
botocore alone. They take turns, and their times are the processor's: they wait for nothing, and what else a busy
machine does is not their doing. Imports are measured in fresh processes, by the clock.
"""

# ruff: noqa: PLC0415 - a measured process imports what it measures and no more

import argparse
import gc
import json
import operator
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from _measure import LAMBDA_SRC, Target, all_met, imports, print_imports, print_table, progress

sys.path.insert(0, str(LAMBDA_SRC))

TURNS, WARM_UP = 400, 30
SETTINGS = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "POWERTOOLS_SERVICE_NAME": "api",
    "NOTES_TABLE": "notes",
    "ALLOWED_ORIGIN": "*",
}
CONTEXT = SimpleNamespace(
    function_name="api", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda", aws_request_id="request"
)
NOTE_ID = "00000000-0000-4000-8000-000000000000"
STAMP = "2026-11-21T10:00:00.000000Z"
BODY = {"text": "What to remember. " * 50, "done": False, "price": 1.5, "steps": [{"n": n} for n in range(10)]}
NOTE = json.dumps({"title": "Remember", "body": BODY, "tags": ["home", "to do"]})
HANDLER = "import api.handler"
CLIENT = "import boto3; boto3.client('dynamodb')"


def main() -> int:
    """Measure, print, and say which targets are met."""
    parser = argparse.ArgumentParser(description="Measure the api example.")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    arguments = parser.parse_args()
    try:
        took = imports([HANDLER, CLIENT, "import boto3"], SETTINGS)
        turns = measure_requests()
    except KeyboardInterrupt:
        progress("")
        print("interrupted", file=sys.stderr)
        return 130
    progress("")
    print_requests(turns)
    print_imports(took)
    met = all_met(targets(turns, took[HANDLER] / took[CLIENT]))
    return 1 if arguments.check and not met else 0


# -- requests


def measure_requests() -> Mapping[str, list[float]]:
    """Milliseconds of every turn, by what was asked."""
    os.environ.update(SETTINGS, POWERTOOLS_TRACE_DISABLED="true", POWERTOOLS_LOG_LEVEL="WARNING")
    from api import handler

    dynamodb = handler.routes.store._dynamodb  # noqa: SLF001 - its network is taken away
    dynamodb.meta.events.register("before-send.dynamodb", answer)
    contenders = {**requests(handler), **calls(dynamodb)}
    turns: dict[str, list[float]] = {name: [] for name in contenders}
    gc.collect()
    for turn in range(-WARM_UP, TURNS):
        if turn % 50 == 0:
            progress(f"requests: turn {turn} of {TURNS}")
        for name, run in contenders.items():
            started = time.process_time()
            run()
            if turn >= 0:
                turns[name].append((time.process_time() - started) * 1000)
    return turns


def requests(handler: Any) -> Mapping[str, Callable[[], None]]:
    """What a client asks, by name."""
    note = f"/v1/notes/{NOTE_ID}"
    keys = (f"key-{number}" for number in range(sys.maxsize))

    def ask(method: str, path: str, body: str | None = None, *, status: int, **headers: str | Iterator[str]) -> Any:
        def run() -> None:
            given = {
                name.replace("_", "-"): value if isinstance(value, str) else next(value)
                for name, value in headers.items()
            }
            answered = handler.handler(event(method, path, body, given), CONTEXT)
            if answered["statusCode"] != status:
                sys.exit(f"bench failed at: {method} {path}\n{answered}")

        return run

    return {
        "read": ask("GET", note, status=200),
        "create": ask("POST", "/v1/notes", NOTE, status=201),
        "create once": ask("POST", "/v1/notes", NOTE, status=201, Idempotency_Key=keys),
        "patch": ask("PATCH", note, '{"body":{"done":true}}', status=200, If_Match='"1"'),
        "list 100": ask("GET", "/v1/notes", status=200),
    }


def calls(dynamodb: Any) -> Mapping[str, Callable[[], None]]:
    """The least that a function can do: ask DynamoDB, by name of what it does with the answer."""
    key = {"id": {"S": NOTE_ID}}
    return {"GetItem alone": lambda: dynamodb.get_item(TableName="notes", Key=key, ConsistentRead=True)}


def event(method: str, path: str, body: str | None, headers: Mapping[str, str]) -> dict[str, Any]:
    """A proxy event of API Gateway's, as long as a real one."""
    sent = {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "Host": "id.execute-api.us-east-1.amazonaws.com",
        "Origin": "https://example.com",
        "User-Agent": "bench",
        "X-Api-Key": "x" * 40,
        "X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
        "X-Forwarded-For": "192.0.2.1",
        **headers,
    }
    query = {"limit": "100"} if path == "/v1/notes" and method == "GET" else None
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": query and {name: [value] for name, value in query.items()},
        "requestContext": {
            "requestId": "request",
            "stage": "live",
            "path": f"/live{path}",
            "httpMethod": method,
            "identity": {"apiKeyId": "key", "sourceIp": "192.0.2.1"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


def item(note_id: str = NOTE_ID, **more: Any) -> dict[str, Any]:
    """A note without its body as DynamoDB sends it."""
    return {
        "id": {"S": note_id},
        "collection": {"S": "notes"},
        "created": {"S": f"{STAMP}#{note_id}"},
        "created_at": {"S": STAMP},
        "updated_at": {"S": STAMP},
        "title": {"S": "Remember"},
        "tags": {"L": [{"S": "home"}, {"S": "to do"}]},
        "version": {"N": "1"},
        **more,
    }


class Raw:
    """The bytes of an answer."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._data = json.dumps(document).encode()

    def stream(self) -> Iterator[bytes]:
        yield self._data


_WHOLE = item(body={"S": json.dumps(BODY)})
_PAGE = [item(str(UUID(int=number))) for number in range(100)]
_LAST = {name: _PAGE[-1][name] for name in ("id", "collection", "created")}
ANSWERS = {
    "GetItem": Raw({"Item": _WHOLE}),
    "PutItem": Raw({}),
    "TransactWriteItems": Raw({}),
    "UpdateItem": Raw({"Attributes": _WHOLE}),
    "Query": Raw({"Items": _PAGE, "Count": 100, "ScannedCount": 100, "LastEvaluatedKey": _LAST}),
}


def answer(event_name: str, request: Any, **_: Any) -> Any:
    """DynamoDB's part; botocore sends nothing when it is given an answer before."""
    from botocore.awsrequest import AWSResponse

    raw = ANSWERS[event_name.rsplit(".", 1)[-1]]
    return AWSResponse(request.url, 200, {"content-type": "application/x-amz-json-1.0"}, raw)  # type: ignore[arg-type, unused-ignore]


# -- what was measured


def percentile(times: list[float], percent: int) -> float:
    """The time that `percent` of 100 keep within."""
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]


def ratio(turns: Mapping[str, list[float]], name: str) -> float:
    """How many times as long as a call to DynamoDB: the median of the turns' ratios."""
    return statistics.median(a / b for a, b in zip(turns[name], turns["GetItem alone"], strict=True))


def print_requests(turns: Mapping[str, list[float]]) -> None:
    table = [["request", "a second", "p50 ms", "p99 ms", "p99/p50", "vs GetItem"]]
    for name, times in turns.items():
        median, slow = percentile(times, 50), percentile(times, 99)
        numbers = [f"{1000 / median:.0f}", f"{median:.2f}", f"{slow:.2f}", f"{slow / median:.1f}x"]
        table.append([name, *numbers, f"{ratio(turns, name):.1f}x"])
    print_table(table)
    print(f"{TURNS} of each, in turns. Times are the processor's, and DynamoDB answers at once; a second: 1000 / p50.")
    print("vs GetItem: over one call of botocore's for one note.")


def targets(turns: Mapping[str, list[float]], of_import: float) -> list[Target]:
    """Half as much again as was measured when they were set: a busy machine passes, a second parser does not."""
    slow = percentile(turns["read"], 99) / percentile(turns["read"], 50)
    at_most = operator.le
    return [
        ("a read, over its GetItem: at most", ratio(turns, "read"), 1.9, at_most),
        ("a create, over a GetItem: at most", ratio(turns, "create"), 2.0, at_most),
        ("a create with a key, over a GetItem: at most", ratio(turns, "create once"), 2.3, at_most),
        ("a patch (two calls), over a GetItem: at most", ratio(turns, "patch"), 3.3, at_most),
        ("a list of 100, over a GetItem: at most", ratio(turns, "list 100"), 9.0, at_most),
        ("p99 of a read over its p50: at most", slow, 3.0, at_most),
        ("import of the handler over boto3 and its client: at most", of_import, 2.2, at_most),
    ]


if __name__ == "__main__":
    sys.exit(main())
