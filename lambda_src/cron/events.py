"""What the schedule says is to be done."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MAX_URL = 1024
"""Characters: a metric's dimension has no room for more.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html"""
MAX_URLS = 50
"""Each takes two threads and a connection; Lambda gives 1,024 of each. The stack allows no longer list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run of the schedule."""

    scheduled_at: str
    """When it was due: ISO 8601, UTC. Every delivery of a run has the same, so it tells runs apart."""
    urls: tuple[str, ...]


def run_of(event: dict[str, Any]) -> Run:
    """The run that an event asks for: `{"scheduled_at": "2026-11-21T11:00:00Z", "urls": ["https://example.com/"]}`.

    Raises ValueError that names what is wrong with the event.
    """
    urls = event.get("urls")
    if not isinstance(urls, list) or not 0 < len(urls) <= MAX_URLS:
        raise ValueError(f"urls: must be a list of 1 to {MAX_URLS} URLs, not {_brief(urls)}")
    for url in urls:
        if not isinstance(url, str) or not 0 < len(url) <= MAX_URL or not url.isascii() or not url.isprintable():
            raise ValueError(f"urls: each must be 1 to {MAX_URL} printable ASCII characters, not {_brief(url)}")
    return Run(scheduled_at=_utc(event.get("scheduled_at")), urls=tuple(dict.fromkeys(urls)))


def _utc(text: Any) -> str:
    # One spelling for each moment: it is a part of the item's key.
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError(f"scheduled_at: must be a time like 2026-11-21T11:00:00Z, not {_brief(text)}") from None
    if moment.tzinfo is None:
        raise ValueError(f"scheduled_at: {text!r} has no time zone (Z is UTC)")
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _brief(value: Any) -> str:
    return repr(value)[:100]
