"""The newest log lines of the deployed examples, read from CloudWatch Logs."""

import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from console.account import Account
from console.examples import Example

LINES_OF_GROUP = 500
"""The console keeps the newest lines of each log group. It searches only in these."""
MAX_GROUPS = 60
"""The console reads at most this number of log groups. All examples together have about twenty."""
OVERLAP_SECONDS = 120
"""The console reads this time again, because a line can arrive some seconds after its timestamp."""
WINDOWS = {True: (600, 7_200, 86_400), False: (7 * 86_400,)}
"""The first read goes back by these seconds: in the local AWS (True), and in a real account.

The local AWS ignores `startFromHead=False`: it returns the oldest lines first. So the console asks for a short time
first. It asks for a longer time only if there are not enough lines.
"""
MAX_PAGES = 5
"""A read of a log group ends after this number of answers. AWS may give answers without any line."""
MAX_ANSWER = 10_000
"""The maximum number of lines in an answer.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html"""
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""The levels of log lines, in rising order."""

_LEVEL_IN_TEXT = re.compile(r"\[?(DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)\b", re.IGNORECASE)
_LAMBDA_LINE = re.compile(r"(START|END|REPORT|INIT_START|EXTENSION|XRAY) \S")
_SAME_LEVELS = {"WARN": "WARNING", "FATAL": "CRITICAL"}
_SHOWN_ELSEWHERE = {"level", "message", "time", "timestamp"}


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line of a log."""

    id: str
    """An id for the HTML element. It stays the same when the console reads the line again."""
    example: str
    """The short name of the example."""
    group: str
    """The name of the log group."""
    stream: str
    """The name of the log stream."""
    timestamp: int
    """The time in milliseconds since 1970."""
    text: str
    """The whole line."""

    @property
    def time(self) -> str:
        """The time in UTC with milliseconds, such as `2026-11-28 19:45:12.300`."""
        return datetime.fromtimestamp(self.timestamp / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]

    @cached_property
    def fields(self) -> Mapping[str, Any]:
        """The fields of a line that is a JSON object. Another line has none."""
        try:
            value = json.loads(self.text) if self.text.startswith("{") else {}
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def level(self) -> str:
        """The level, such as INFO. It is empty for lines that Lambda writes about each call."""
        level = str(self.fields.get("level", "")).upper()
        if not self.fields:
            found = _LEVEL_IN_TEXT.match(self.text)
            level = found[1].upper() if found else "" if _LAMBDA_LINE.match(self.text) else "INFO"
        level = _SAME_LEVELS.get(level, level)
        return level if level in LEVELS or not self.fields else "INFO"

    @property
    def message(self) -> str:
        """The main text of the line."""
        if "_aws" in self.fields:  # metrics in the embedded metric format
            return f"metrics: {', '.join(f'{name} {value}' for name, value in self._metrics())}"
        return str(self.fields.get("message") or self.text)

    @property
    def details(self) -> Sequence[tuple[str, str]]:
        """The other fields of the line, and where the line comes from."""
        more = [(name, _text(value)) for name, value in self.fields.items() if name not in _SHOWN_ELSEWHERE]
        return [*more, ("log group", self.group), ("log stream", self.stream)]

    def _metrics(self) -> Iterable[tuple[str, str]]:
        try:
            metrics = self.fields["_aws"]["CloudWatchMetrics"][0]["Metrics"]
            for name in (metric["Name"] for metric in metrics):
                values = self.fields[name] if isinstance(self.fields[name], list) else [self.fields[name]]
                yield name, ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)
        except (KeyError, IndexError, TypeError):
            return


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class LineFilter:
    """Which lines a person wants to see. The fields of the form and of the URL have the same names."""

    example: str = ""
    """The short name of an example, or nothing for all examples."""
    level: str = ""
    """The lowest level, or nothing for all lines."""
    text: str = ""
    """A part of the line, in upper or lower case."""
    lambda_lines: bool = False
    """Whether to show the lines that Lambda writes about each call. They would hide the lines of the other examples."""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "LineFilter":
        """Return the filter in a URL. An unknown level counts as no level."""
        level = query.get("level", "")
        return cls(
            example=query.get("example", "")[:100],
            level=level if level in LEVELS else "",
            text=query.get("text", "").strip()[:200],
            lambda_lines=bool(query.get("lambda_lines")),
        )

    def accepts(self, line: LogLine) -> bool:
        """Whether the person wants to see this line."""
        if self.example and line.example != self.example:
            return False
        if not line.level and (self.level or not self.lambda_lines):
            return False
        if self.level and LEVELS.index(line.level) < LEVELS.index(self.level):
            return False
        return self.text.casefold() in line.text.casefold()


@dataclass(frozen=True)
class _Group:
    example: str
    name: str


@dataclass
class _Stored:
    lines: list[LogLine]
    read_at: float


class Logs:
    """Reads the newest lines of all log groups, and keeps them. All open pages share one reader."""

    def __init__(self, account: Account) -> None:
        """`account` is the account with the stacks."""
        self._account = account
        self._lock = threading.Lock()
        self._stored: dict[_Group, _Stored] = {}
        self._groups_of_stack: dict[tuple[str, str, str], list[_Group]] = {}

    def lines(self, examples: Mapping[str, Example]) -> list[LogLine]:
        """Return the newest lines of all examples, the newest first. Raises AccountError and the errors of boto3."""
        with self._lock:
            groups = [group for example in examples.values() for group in self._groups(example)][:MAX_GROUPS]
            oldest = time.time() - self._account.seconds_between_reads
            outdated = [group for group in groups if group not in self._stored or self._stored[group].read_at < oldest]
            client = self._account.client("logs")
            with ThreadPoolExecutor(max_workers=8) as pool:
                answers = pool.map(lambda group: self._read(client, group), outdated)
                self._stored.update(zip(outdated, answers, strict=True))
            found = [line for group in groups for line in self._stored[group].lines]
        return sorted(found, key=lambda line: line.timestamp)[::-1]  # also reverses lines of the same millisecond

    def _groups(self, example: Example) -> list[_Group]:
        # The log groups of a stack change only with a deployment.
        key = (example.stack, example.changed_at, example.status)
        if key not in self._groups_of_stack:
            self._groups_of_stack[key] = [_Group(example.stem, name) for name in self._group_names(example)]
        return self._groups_of_stack[key]

    def _group_names(self, example: Example) -> list[str]:
        pages = self._account.client("cloudformation").get_paginator("list_stack_resources")
        names = []
        for page in pages.paginate(StackName=example.stack):
            for resource in page["StackResourceSummaries"]:
                kind, name = resource["ResourceType"], resource.get("PhysicalResourceId", "")
                if kind == "AWS::Logs::LogGroup" and name:
                    names.append(name)
                elif kind == "AWS::Lambda::Function" and name and not _has_log_group(example, resource):
                    names.append(f"/aws/lambda/{name}")
        return names

    def _read(self, client: Any, group: _Group) -> _Stored:
        now, stored = time.time(), self._stored.get(group)
        if stored is None:
            return _Stored(self._first_lines(client, group, now), now)
        start = stored.read_at - OVERLAP_SECONDS
        older = [line for line in stored.lines if line.timestamp < int(start * 1000)]
        newest = sorted([*older, *_lines(client, group, start)], key=lambda line: line.timestamp)
        return _Stored(newest[-LINES_OF_GROUP:], now)

    def _first_lines(self, client: Any, group: _Group, now: float) -> list[LogLine]:
        found: list[LogLine] = []
        for seconds in WINDOWS[self._account.is_local]:
            lines = _lines(client, group, now - seconds)
            if len(lines) < MAX_ANSWER:  # else the local AWS has left out the newest lines
                found = lines
            if len(lines) >= LINES_OF_GROUP:
                break
        return found[-LINES_OF_GROUP:]


def _has_log_group(example: Example, resource: Mapping[str, Any]) -> bool:
    function = example.template["Resources"].get(resource["LogicalResourceId"], {})
    return "LogGroup" in function.get("Properties", {}).get("LoggingConfig", {})


def _lines(client: Any, group: _Group, start: float) -> list[LogLine]:
    """Return the newest lines of a log group since `start`, in the order of their times."""
    request = {"logGroupName": group.name, "startTime": int(start * 1000), "startFromHead": False}
    events: list[Any] = []
    try:
        for _ in range(MAX_PAGES):
            answer = client.filter_log_events(**request)
            events += answer["events"]
            if "nextToken" not in answer or len(events) >= LINES_OF_GROUP:
                break
            request["nextToken"] = answer["nextToken"]
    except client.exceptions.ResourceNotFoundException:
        return []  # a function that nobody has called yet has no log group
    events.sort(key=lambda event: event["timestamp"])
    seen: Counter[tuple[str, int, str]] = Counter()
    return [_line(group, event, seen) for event in events]


def _line(group: _Group, event: Mapping[str, Any], seen: Counter[tuple[str, int, str]]) -> LogLine:
    # The local AWS gives its lines no id. Equal lines of the same millisecond get a number.
    key = (event["logStreamName"], event["timestamp"], event["message"])
    seen[key] += 1
    digest = hashlib.sha256(f"{group.name} {key} {seen[key]}".encode(errors="replace")).hexdigest()
    return LogLine(
        id=digest[:16],
        example=group.example,
        group=group.name,
        stream=event["logStreamName"],
        timestamp=event["timestamp"],
        text=event["message"].strip(),
    )
