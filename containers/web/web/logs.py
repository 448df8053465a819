"""What is written to standard output: one JSON object a line, whatever a client sends."""

import ipaddress
import json
import logging
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEALTH_CHECKS = ("/healthz", "/readyz")
"""Of every target every few seconds, they would be most of the log."""
MAX_PATH = 512
_TRACE_ID = re.compile(r"[A-Za-z0-9=;:._-]{1,256}")
"""https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html"""

_logger = logging.getLogger("web.access")


class JsonFormatter(logging.Formatter):
    """A record as one line: JSON escapes line breaks, control characters and all that is not ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the fields that the record's caller gave in `extra={"fields": …}`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure_logging() -> None:
    """Send every logger's records to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class AccessLog:
    """Writes a line for each request; for health checks only when they fail."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and write its line when it is answered."""
        began = time.perf_counter()
        status = 500  # unless an answer begins

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            if scope["path"] not in HEALTH_CHECKS or status >= 400:  # noqa: PLR2004 - HTTP's errors
                _logger.info("request", extra={"fields": _fields(scope, status, time.perf_counter() - began)})


def _fields(scope: Scope, status: int, seconds: float) -> dict[str, Any]:
    headers = Headers(scope=scope)
    trace_id = headers.get("x-amzn-trace-id", "")
    return {
        "method": scope["method"][:16],
        "path": scope["path"][:MAX_PATH],
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
        "client": client_of(headers, scope["client"]),
        "trace_id": trace_id if _TRACE_ID.fullmatch(trace_id) else None,
    }


def client_of(headers: Headers, peer: tuple[str, int] | None) -> str | None:
    """The address that the load balancer saw, or the peer's.

    A load balancer appends to X-Forwarded-For; all before the last address is the client's own story.
    """
    last_hop = ",".join(headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(last_hop))
    except ValueError:
        return peer[0] if peer else None
