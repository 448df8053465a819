"""Logs on standard output: one JSON object a line, even when a client sends line breaks."""

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
"""Not logged unless they fail: every target gets one every few seconds, which would be most of the log."""
MAX_PATH = 512
_TRACE_ID = re.compile(r"[A-Za-z0-9=;:._-]{1,256}")
"""https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html"""

_logger = logging.getLogger("web.access")


class JsonFormatter(logging.Formatter):
    """Formats a record as one line. JSON escapes line breaks, control characters and non-ASCII characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with the fields that the caller gave in `extra={"fields": …}`."""
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
    """Send the records of every logger to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class AccessLog:
    """Writes a line for each request, and for a health check only if it fails."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and write its line when it is answered."""
        began = time.perf_counter()
        status = 500  # stays if no answer begins

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
    """Return the client's address as the load balancer saw it, or the address of the peer.

    The load balancer appends that address to X-Forwarded-For. The client itself may have sent everything before it.
    """
    last_hop = ",".join(headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(last_hop))
    except ValueError:
        return peer[0] if peer else None
