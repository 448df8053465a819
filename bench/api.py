"""Measure the time that the API's function needs for a request, without DynamoDB.

    python -m bench.api          print a table
    python -m bench.api --check  also exit with 1 if a target is missed

This process itself answers instead of DynamoDB, at once and without the network. The times include botocore, which
writes the requests, signs them and reads the answers, because botocore needs most of the time. For comparison, the
table has a single call of botocore, which no function can avoid. Each turn runs every request once. The program
measures CPU time, so other programs on a busy machine do not count. It measures imports in fresh processes.
"""

# ruff: noqa: PLC0415 - a measured process must not import more than it measures

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

from bench._measure import (
    LAMBDA_SRC,
    START_OF_FIRST_REQUEST,
    Target,
    check_targets,
    measure_imports,
    print_first_requests,
    print_imports,
    print_table,
    show_progress,
)

sys.path.insert(0, str(LAMBDA_SRC))

TURNS, WARM_UP_TURNS = 400, 30
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
BODY = {"text": "Note to remember. " * 50, "done": False, "price": 1.5, "steps": [{"n": n} for n in range(10)]}
NOTE = json.dumps({"title": "Remember", "body": BODY, "tags": ["home", "to do"]})
HANDLER = "import api.handler"
CLIENT = "import boto3; boto3.client('dynamodb')"
FIRST_REQUESTS = {
    f"import and first request, {name}": f"{START_OF_FIRST_REQUEST}list_notes(sampled={sampled})"
    for name, sampled in (("not sampled", False), ("sampled", True))
}
MEMORY_MB = 512
"""As in stacks/api.py."""


def main() -> int:
    """Measure, print the results, and return the exit code."""
    parser = argparse.ArgumentParser(description="Measure the api example.")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    arguments = parser.parse_args()
    try:
        imports = measure_imports([HANDLER, CLIENT, "import boto3"], SETTINGS)
        first_requests = measure_imports(FIRST_REQUESTS.values(), SETTINGS)
        turns = measure_requests()
    except KeyboardInterrupt:
        show_progress("")
        print("interrupted", file=sys.stderr)
        return 130
    show_progress("")
    print_requests(turns)
    print_imports(imports)
    print_first_requests(FIRST_REQUESTS, first_requests, MEMORY_MB)
    met = check_targets(targets(turns, imports[HANDLER] / imports[CLIENT]))
    return 1 if arguments.check and not met else 0


# -- requests


def measure_requests() -> Mapping[str, list[float]]:
    """Return the milliseconds of every turn, by the name of the request. The warm-up turns are left out."""
    os.environ.update(SETTINGS, POWERTOOLS_TRACE_DISABLED="true", POWERTOOLS_LOG_LEVEL="WARNING")
    from api import handler, routes

    dynamodb = routes.store._dynamodb  # noqa: SLF001 - its answers come from `respond`
    dynamodb.meta.events.register("before-send.dynamodb", respond)
    requests = {**api_requests(handler), **dynamodb_calls(dynamodb)}
    turns: dict[str, list[float]] = {name: [] for name in requests}
    gc.collect()
    for turn in range(-WARM_UP_TURNS, TURNS):
        if turn % 50 == 0:
            show_progress(f"requests: turn {turn} of {TURNS}")
        for name, run in requests.items():
            started = time.process_time()
            run()
            if turn >= 0:
                turns[name].append((time.process_time() - started) * 1000)
    return turns


def api_requests(handler: Any) -> Mapping[str, Callable[[], None]]:
    """Return a function for each request of a client, by name. It ends the program if the status is unexpected."""
    note = f"/v1/notes/{NOTE_ID}"
    idempotency_keys = (f"key-{number}" for number in range(sys.maxsize))

    def request(method: str, path: str, body: str | None = None, *, status: int, **headers: str | Iterator[str]) -> Any:
        def run() -> None:
            sent = {
                name.replace("_", "-"): value if isinstance(value, str) else next(value)
                for name, value in headers.items()
            }
            response = handler.handler(proxy_event(method, path, body, sent), CONTEXT)
            if response["statusCode"] != status:
                sys.exit(f"the benchmark failed at: {method} {path}\n{response}")

        return run

    return {
        "read": request("GET", note, status=200),
        "create": request("POST", "/v1/notes", NOTE, status=201),
        "create once": request("POST", "/v1/notes", NOTE, status=201, Idempotency_Key=idempotency_keys),
        "patch": request("PATCH", note, '{"body":{"done":true}}', status=200, If_Match='"1"'),
        "list 100": request("GET", "/v1/notes", status=200),
    }


def dynamodb_calls(dynamodb: Any) -> Mapping[str, Callable[[], None]]:
    """Return a function with a single call of DynamoDB, by name. The benchmark compares the requests with this call."""
    key = {"id": {"S": NOTE_ID}}
    return {"GetItem alone": lambda: dynamodb.get_item(TableName="notes", Key=key, ConsistentRead=True)}


def proxy_event(method: str, path: str, body: str | None, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return an event of API Gateway. It has as many headers as a real event."""
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
    """Return a note in the format of DynamoDB. The note has a body only if `more` contains one."""
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


class RawResponse:
    """The bytes of a response of DynamoDB."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._data = json.dumps(document).encode()

    def stream(self) -> Iterator[bytes]:
        yield self._data


_WHOLE_NOTE = item(body={"S": json.dumps(BODY)})
_PAGE = [item(str(UUID(int=number))) for number in range(100)]
_LAST_KEY = {name: _PAGE[-1][name] for name in ("id", "collection", "created")}
RESPONSES = {
    "GetItem": RawResponse({"Item": _WHOLE_NOTE}),
    "PutItem": RawResponse({}),
    "TransactWriteItems": RawResponse({}),
    "UpdateItem": RawResponse({"Attributes": _WHOLE_NOTE}),
    "Query": RawResponse({"Items": _PAGE, "Count": 100, "ScannedCount": 100, "LastEvaluatedKey": _LAST_KEY}),
}


def respond(event_name: str, request: Any, **_: Any) -> Any:
    """Return DynamoDB's response. Because of this response, botocore sends no request."""
    from botocore.awsrequest import AWSResponse

    raw = RESPONSES[event_name.rsplit(".", 1)[-1]]
    return AWSResponse(request.url, 200, {"content-type": "application/x-amz-json-1.0"}, raw)  # type: ignore[arg-type, unused-ignore]


# -- results


def percentile(times: list[float], percent: int) -> float:
    """Return a percentile: `percent` percent of the times are shorter than this time."""
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]


def ratio(turns: Mapping[str, list[float]], name: str) -> float:
    """Return the time of a request divided by the time of one call of DynamoDB (median of all turns)."""
    return statistics.median(a / b for a, b in zip(turns[name], turns["GetItem alone"], strict=True))


def print_requests(turns: Mapping[str, list[float]]) -> None:
    table = [["request", "a second", "p50 ms", "p99 ms", "p99/p50", "vs GetItem"]]
    for name, times in turns.items():
        median, slow = percentile(times, 50), percentile(times, 99)
        numbers = [f"{1000 / median:.0f}", f"{median:.2f}", f"{slow:.2f}", f"{slow / median:.1f}x"]
        table.append([name, *numbers, f"{ratio(turns, name):.1f}x"])
    print_table(table)
    print(f"Each request ran {TURNS} times. Times are CPU times. They do not include any time in which DynamoDB works.")
    print("a second: 1000 / p50. vs GetItem: the time divided by the time of one GetItem call of botocore.")


def targets(turns: Mapping[str, list[float]], import_ratio: float) -> list[Target]:
    """Return the targets. `import_ratio` is the import time of the handler divided by the time of `CLIENT`.

    Each limit of a request is 1.5 times the value that was measured when somebody set the limit. So a busy machine
    meets the target, but a handler that parses each body twice does not. docs/performance.md explains the limit of the
    import.
    """
    slowness = percentile(turns["read"], 99) / percentile(turns["read"], 50)
    at_most = operator.le
    return [
        ("a read, divided by a GetItem: at most", ratio(turns, "read"), 1.9, at_most),
        ("a create, divided by a GetItem: at most", ratio(turns, "create"), 2.0, at_most),
        ("a create with a key, divided by a GetItem: at most", ratio(turns, "create once"), 2.3, at_most),
        ("a patch (two calls), divided by a GetItem: at most", ratio(turns, "patch"), 3.3, at_most),
        ("a list of 100, divided by a GetItem: at most", ratio(turns, "list 100"), 9.0, at_most),
        ("p99 of a read, divided by its p50: at most", slowness, 3.0, at_most),
        ("import of the handler, divided by boto3 and its client: at most", import_ratio, 1.1, at_most),
    ]


if __name__ == "__main__":
    sys.exit(main())
