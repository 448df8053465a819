"""Parses the events that the schedule sends."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MAX_URL = 1024
"""Characters: a metric's dimension cannot be longer.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html"""
MAX_URLS = 50
"""Each URL takes two threads and a connection, and Lambda allows 1,024 of each. The stack rejects longer lists, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run of the schedule."""

    scheduled_at: str
    """The time at which the run was due: ISO 8601, UTC. All deliveries of a run have the same time, no two runs do."""
    urls: tuple[str, ...]


def parse_run(event: dict[str, Any]) -> Run:
    """Return the run in an event: `{"scheduled_at": "2026-11-21T11:00:00Z", "urls": ["https://example.com/"]}`.

    Raises ValueError that says what is wrong with the event.
    """
    urls = event.get("urls")
    if not isinstance(urls, list) or not 0 < len(urls) <= MAX_URLS:
        raise ValueError(f"urls: must be a list of 1 to {MAX_URLS} URLs, not {_shorten(urls)}")
    for url in urls:
        if not isinstance(url, str) or not 0 < len(url) <= MAX_URL or not url.isascii() or not url.isprintable():
            raise ValueError(f"urls: each must be 1 to {MAX_URL} printable ASCII characters, not {_shorten(url)}")
    return Run(scheduled_at=_parse_time(event.get("scheduled_at")), urls=tuple(dict.fromkeys(urls)))


def _parse_time(text: Any) -> str:
    # The time is part of the item's key, so each moment must have only one spelling.
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError(f"scheduled_at: must be a time like 2026-11-21T11:00:00Z, not {_shorten(text)}") from None
    if moment.tzinfo is None:
        raise ValueError(f"scheduled_at: {text!r} has no time zone (Z is UTC)")
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _shorten(value: Any) -> str:
    return repr(value)[:100]
