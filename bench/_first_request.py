"""Sends the first request to a function, in a fresh process. This module itself answers in place of AWS, at once."""

# ruff: noqa: PLC0415 - the import of the function is a part of the measurement

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

CONTEXT = SimpleNamespace(
    function_name="x", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda", aws_request_id="request"
)
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled="
LIST_NOTES = {"httpMethod": "GET", "path": "/v1/notes", "requestContext": {"requestId": "x", "identity": {}}}
S3_OBJECT = {"bucket": {"name": "x"}, "object": {"key": "a.jpg", "eTag": "e", "sequencer": "0055AED6DCD90281E5"}}
UPLOAD = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": S3_OBJECT}]}


def list_notes(*, sampled: bool) -> None:
    """Import the API's function, and list an empty table."""
    os.environ["_X_AMZN_TRACE_ID"] = f"{TRACE}{sampled:d}"
    from api import handler, routes

    _answer(routes.store._dynamodb, {"Query": b'{"Items": []}'})  # noqa: SLF001
    if handler.handler(LIST_NOTES, CONTEXT)["statusCode"] != 200:
        raise SystemExit("the request failed")


def make_thumbnail(picture: str, *, sampled: bool) -> None:
    """Import the thumbnail function, and make the thumbnail of this file."""
    os.environ["_X_AMZN_TRACE_ID"] = f"{TRACE}{sampled:d}"
    from thumbnail import handler

    _answer(handler.s3, {"GetObject": Path(picture).read_bytes(), "ListObjectsV2": b"<ListBucketResult/>"})
    _answer(handler.dynamodb, {"PutItem": b"{}"})
    handler.handler(UPLOAD, CONTEXT)


class _Raw:
    """The bytes of a response."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Any:
        yield self._data

    def read(self, *_: Any) -> bytes:
        data, self._data = self._data, b""
        return data

    def close(self) -> None:
        pass


def _answer(client: Any, bodies: dict[str, bytes]) -> None:
    from botocore.awsrequest import AWSResponse

    def respond(event_name: str, request: Any, **_: Any) -> AWSResponse:
        body = bodies.get(event_name.rsplit(".", 1)[-1], b"")
        headers = {"Content-Length": str(len(body)), "ETag": '"e"', "Last-Modified": "Sat, 28 Nov 2026 12:00:00 GMT"}
        return AWSResponse(request.url, 200, headers, _Raw(body))  # type: ignore[arg-type, unused-ignore]

    client.meta.events.register("before-send", respond)
