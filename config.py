"""Every choice of this deployment. The one file that a fork edits."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from aws_cdk.aws_logs import RetentionDays

MAX_EDGES = range(16, 2049)
"""Less is no picture, more is no thumbnail (pixels)."""


class ConfigError(ValueError):
    """A value that cannot be deployed. The message is one line and names what is allowed."""


def _require(condition: bool, message: str) -> None:  # noqa: FBT001 - an assertion that survives `python -O`
    if not condition:
        raise ConfigError(message)


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One deployment's settings, checked when made.

    Raises ConfigError for a value outside its range.
    """

    profile: str
    """`sandbox` or `production`; also a tag on every resource."""
    prefix: str = "compute"
    """First part of every stack's name, so that two deployments can share an account."""
    retain_data: bool
    """Keep and protect buckets, tables and logs when a stack is deleted."""
    log_retention: RetentionDays
    """How long CloudWatch keeps a log event; it bills $0.03 per GB and month for keeping them."""
    alarm_email: str | None = None
    """Where alarms are sent; without it they only change colour in the console."""
    api_allowed_origin: str = "*"
    """The web site whose pages may call the API (`https://notes.example.com`), or `*` for all: it takes no cookies, so
    that nobody's browser can be misled into calling it with rights that the page has not."""
    thumbnail_max_edge: int = 256
    """Longest edge of a thumbnail, in pixels: two columns of a phone's gallery."""
    thumbnail_concurrency: int | None = None
    """Reserved for thumbnails, and the most made at once, so that a bulk upload cannot starve the account's functions.

    None reserves nothing. A new account may run 10 functions at once and has to leave 10 unreserved: no reservation can
    be deployed there, and 50 ask for a quota of at least 60.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
    """

    def __post_init__(self) -> None:
        _require(
            re.fullmatch(r"\*|https?://[a-z0-9.-]+(:\d{1,5})?", self.api_allowed_origin) is not None,
            f"api_allowed_origin: {self.api_allowed_origin!r} is neither '*' nor like https://notes.example.com",
        )
        _require(
            re.fullmatch(r"[a-z][a-z0-9-]{0,19}", self.prefix) is not None,
            f"prefix: {self.prefix!r} is not 1 to 20 of a-z, 0-9 and '-', beginning with a letter",
        )
        _require(
            self.thumbnail_max_edge in MAX_EDGES,
            f"thumbnail_max_edge: {self.thumbnail_max_edge} is not between {MAX_EDGES[0]} and {MAX_EDGES[-1]} (pixels)",
        )
        _require(
            self.thumbnail_concurrency is None or self.thumbnail_concurrency > 0,
            f"thumbnail_concurrency: {self.thumbnail_concurrency} is not a number above 0",
        )
        _require(
            self.alarm_email is None or re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", self.alarm_email) is not None,
            f"alarm_email: {self.alarm_email!r} is not an e-mail address (name@example.com)",
        )


PROFILES: Mapping[str, Config] = {
    "sandbox": Config(
        profile="sandbox",
        retain_data=False,
        log_retention=RetentionDays.ONE_WEEK,  # a week is as long as one remembers an experiment
    ),
    "production": Config(
        profile="production",
        retain_data=True,
        log_retention=RetentionDays.THREE_MONTHS,  # a quarter, for questions about last month's incident
    ),
}


def _whole_number(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ConfigError(f"{name}: {value!r} is not a whole number") from None


def _text(_name: str, value: str) -> str:
    return value


OVERRIDES: Mapping[str, Callable[[str, str], Any]] = {
    "prefix": _text,
    "alarm_email": _text,
    "api_allowed_origin": _text,
    "thumbnail_max_edge": _whole_number,
    "thumbnail_concurrency": _whole_number,
}
"""What `-c name=value` may set beside the profile, and how its text is read."""


def from_context(context: Mapping[str, Any]) -> Config:
    """The profile that the CDK context names (default `sandbox`), with its overrides.

    Raises ConfigError for an unknown profile, a bad value, or what looks like a misspelt name.
    """
    _reject_misspellings(context)
    profile = str(context.get("profile", "sandbox"))
    if profile not in PROFILES:
        raise ConfigError(f"profile: {profile!r} is not one of: {', '.join(PROFILES)}")
    values = {name: read(name, str(context[name])) for name, read in OVERRIDES.items() if name in context}
    return replace(PROFILES[profile], **values)


def _reject_misspellings(context: Mapping[str, Any]) -> None:
    # Names are not all refused: CDK, its plug-ins and ~/.cdk.json put their own into the context.
    known = ["profile", *OVERRIDES]
    for name in context:
        if name in {field.name for field in fields(Config)} - set(known):
            raise ConfigError(f"{name}: set it in config.py; -c takes {', '.join(known)}")
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        if close and name not in known:
            raise ConfigError(f"{name}: no such setting; did you mean {close[0]!r}? (all: {', '.join(known)})")
