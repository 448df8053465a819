"""Logs on standard output. Each line is one JSON object, even when a client sends line breaks."""

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
"""Paths of the health checks. Successful health checks are not logged, because AWS checks the health every few seconds.
"""
MAX_PATH_LENGTH = 512
"""Maximum number of characters of a path in the log. The rest of a longer path is not logged."""
_TRACE_ID = re.compile(r"[A-Za-z0-9=;:._-]{1,256}")
"""Characters and length of a valid trace id:
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html"""
_ADDRESS_AND_PORT = re.compile(r"([\d.]+):\d{1,5}|\[([\da-fA-F:.]+)\](?::\d{1,5})?")
"""An IPv4 address with a port, or an IPv6 address in brackets. The load balancer writes the port if its attribute
routing.http.xff_client_port.enabled is set."""

_logger = logging.getLogger("web.access")


class JsonFormatter(logging.Formatter):
    """Formats a record as one line. JSON escapes line breaks, control characters and non-ASCII characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. It also contains the fields that the caller passed in `extra={"fields": …}`."""
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
    """Write the records of every logger to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class AccessLog:
    """Writes a line for each request, except for a successful health check."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request to the app. Write the line of the request when it is answered."""
        started = time.perf_counter()
        status = 500  # for the case that the app fails before it sends an answer

        async def note_status_and_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status_and_send)
        finally:
            if scope["path"] not in HEALTH_CHECKS or status >= 400:  # noqa: PLR2004 - HTTP errors begin at 400
                _logger.info("request", extra={"fields": _fields(scope, status, time.perf_counter() - started)})


def _fields(scope: Scope, status: int, seconds: float) -> dict[str, Any]:
    headers = Headers(scope=scope)
    trace_id = headers.get("x-amzn-trace-id", "")
    return {
        "method": scope["method"][:16],
        "path": scope["path"][:MAX_PATH_LENGTH],
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
        "client": client_of(headers, scope["client"]),
        "trace_id": trace_id if _TRACE_ID.fullmatch(trace_id) else None,
    }


def client_of(headers: Headers, peer: tuple[str, int] | None) -> str | None:
    """Return the address of the client that sent the request to the load balancer.

    The load balancer appends this address to the header X-Forwarded-For. The earlier addresses in the header are
    ignored, because the client can invent them. Without a valid header, the function returns the address of `peer`.
    This is right for the modes append (the default) and remove. In the mode preserve, the client can invent all
    addresses: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
    """
    last_hop = ",".join(headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
    found = _ADDRESS_AND_PORT.fullmatch(last_hop)
    try:
        return str(ipaddress.ip_address((found[1] or found[2]) if found else last_hop))
    except ValueError:
        return peer[0] if peer else None
