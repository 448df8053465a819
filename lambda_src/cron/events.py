"""Parses the events that the schedule sends."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MAX_URL_LENGTH = 1024
"""Maximum length of a URL (characters), because the value of a metric's dimension cannot be longer.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html"""
MAX_URLS = 50
"""Maximum number of URLs of a run. Each URL needs two threads and one connection, and Lambda allows 1,024 threads and
1,024 open files (a connection counts as an open file). The stack rejects longer lists, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run of the schedule."""

    scheduled_at: str
    """The planned time of the run (ISO 8601, UTC). It identifies the run: if an event is delivered twice, both events
    have the same time. Two different runs never have the same time."""
    urls: tuple[str, ...]


def parse_run(event: dict[str, Any]) -> Run:
    """Return the run in an event: `{"scheduled_at": "2026-11-21T11:00:00Z", "urls": ["https://example.com/"]}`.

    Raises ValueError if the event is invalid. The message gives the reason.
    """
    urls = event.get("urls")
    if not isinstance(urls, list) or not 0 < len(urls) <= MAX_URLS:
        raise ValueError(f"urls: must be a list of 1 to {MAX_URLS} URLs, not {_shorten(urls)}")
    for url in urls:
        if not _is_valid_url(url):
            rule = f"1 to {MAX_URL_LENGTH} printable ASCII characters"
            raise ValueError(f"urls: each must be {rule}, not {_shorten(url)}")
    return Run(scheduled_at=_parse_time(event.get("scheduled_at")), urls=tuple(dict.fromkeys(urls)))


def _is_valid_url(url: Any) -> bool:
    return isinstance(url, str) and 0 < len(url) <= MAX_URL_LENGTH and url.isascii() and url.isprintable()


def _parse_time(text: Any) -> str:
    # The time is part of the item's key. So two spellings of the same moment must give the same text.
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError(f"scheduled_at: must be a time like 2026-11-21T11:00:00Z, not {_shorten(text)}") from None
    if moment.tzinfo is None:
        raise ValueError(f"scheduled_at: {text!r} has no time zone (Z is UTC)")
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _shorten(value: Any) -> str:
    return repr(value)[:100]
