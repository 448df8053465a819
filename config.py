"""Every choice of this deployment. The one file that a fork edits."""

import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from aws_cdk.aws_logs import RetentionDays

MAX_EDGES = range(16, 2049)
"""Less is no picture, more is no thumbnail (pixels)."""
MAX_URLS = 50
"""What the function can check at once; each URL costs $0.30 a month for its metric and $0.10 for its alarm."""
MAX_URL = 255
"""Characters that CDK lets an alarm ask for in a metric's dimension; the dimension itself has room for 1,024."""
MAX_PERIOD_MINUTES = 5040
"""Three and a half days: CloudWatch looks back a week, and a missed run shows after two periods.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
BATCH_VCPUS = range(4, 10_001)
"""Less is no array of two children; ten thousand children are the most there are."""

LIGHTSAIL_BUNDLES: Mapping[str, str] = {"ubuntu_24_04": "nano_3_0", "wordpress": "micro_3_0"}
"""What the server can be, and the smallest plan that it is given unless another is set. 512 MB hold nginx. WordPress
would start in them (its blueprint's minPower is 0), but with its database it outgrows them.
https://docs.aws.amazon.com/cli/latest/reference/lightsail/get-blueprints.html
https://docs.aws.amazon.com/cli/latest/reference/lightsail/get-bundles.html"""
LIGHTSAIL_SIZES = ("nano", "micro", "small")
"""$5, $7 and $12 a month, with a public IPv4 address. A plan is named by its size, its generation and a number for the
region: nano_3_0 in most, nano_3_1 in Mumbai, nano_3_2 in Sydney."""
WIDEST_SSH = {4: 8, 6: 32}
"""Prefix lengths by IP version: what one company or provider has. Anything wider is half the world."""
UTC = "Etc/UTC"
ARCHITECTURES = ("arm64", "x86_64")
_IMAGE = re.compile(
    r"([a-z0-9.-]+(:\d+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})"
)
_CERTIFICATE = re.compile(r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]+")
_PLAN = re.compile(rf"({'|'.join(LIGHTSAIL_SIZES)})_3_[0-9]")
_MINUTES = {"minute": 1, "hour": 60, "day": 1440}
_URL = re.compile(rf"[!-~]{{1,{MAX_URL}}}")
_CRON = re.compile(r"cron\([0-9A-Z*?,/LW#-]+( [0-9A-Z*?,/LW#-]+){5}\)")
_RATE = re.compile(r"rate\(([1-9][0-9]{0,5}) (minute|hour|day)(s?)\)")


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
    watch_closely: bool
    """Whether to be told before something is lost, and to see more: alarms on errors that are retried, on throttles and
    on slowness, the API's dashboard, speed and certificate of each site as metrics. docs/decisions.md has its
    cost; without it, the alarms tell of what was lost."""
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

    cron_urls: tuple[str, ...] = ("https://example.com/",)
    """What is checked; on the command line separated by commas."""
    cron_schedule: str = "rate(1 hour)"
    """When: `rate(15 minutes)`, or `cron(0 8-18 ? * MON-FRI *)` for the time of a clock.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html"""
    cron_time_zone: str = UTC
    """Whose clock a cron(...) schedule goes by: `Europe/Vienna`."""
    cron_longest_gap: int | None = None
    """Minutes between two runs of a cron(...) schedule, at most: after twice as long without one there is an alarm.
    None for a rate(...), which says so itself."""
    cron_allow_private: bool = False
    """Whether private and link-local addresses may be requested, too, where only the function can reach them."""

    architecture: str = "arm64"
    """Of the container images and what runs them: `arm64`, a fifth cheaper, or `x86_64`."""
    web_image: str | None = None
    """What both web services run: `<repository>:<tag>`, of this account or with its registry before it. None builds
    containers/web."""
    publish_web_image: bool = True
    """Whether deploying the registry puts the web image into it. That takes Docker, as building does."""
    web_certificate_arn: str | None = None
    """A certificate of ACM's in the same region. With it the web services speak HTTPS, and HTTP only redirects."""
    container_insights: bool
    """Metrics of each task and container; docs/decisions.md has their cost. ECS writes them to
    a log group that it makes itself and that outlives the stack."""

    batch_max_vcpus: int = 16
    """The most that jobs run on at once, of Spot and of on-demand instances each: eight children of two. Better no more
    than the account's quotas, often 5 at first: Batch may ask for an instance as large, and be refused it."""
    batch_schedule: str | None = None
    """When a job over the whole bucket is submitted, in UTC: `cron(0 3 * * ? *)` for every night. None: never."""
    batch_monthly_budget: int = 10
    """Dollars a month for the whole account. Above them, or when they are foreseen, a mail goes to alarm_email."""
    batch_image: str | None = None
    """What the job runs instead of containers/batch: an image of a public registry, `<registry>/<repository>:<tag>`."""

    lightsail_blueprint: str = "ubuntu_24_04"
    """What is on the server: `ubuntu_24_04`, which serves a page of ours, or `wordpress`."""
    lightsail_bundle: str | None = None
    """Its plan, that is size and price; None takes the smallest for the blueprint, by its name in most regions."""
    lightsail_ssh_cidr: str | None = None
    """Who may connect by SSH: `192.0.2.44/32` for one address. None is nobody."""
    lightsail_disk: bool = False
    """A second disk of 8 GB, at $0.10 a GB and month, which can be moved to another server."""
    lightsail_database: str | None = None
    """A managed database, $15 a month: the engine, as `aws lightsail get-relational-database-blueprints` names it now
    (`postgres_16`), since engines come and go. None is none."""
    lightsail_bucket: bool = False
    """A bucket that the server can use without keys, $1 a month."""

    @property
    def lightsail_plan(self) -> str:
        """The bundle that is deployed."""
        return self.lightsail_bundle or LIGHTSAIL_BUNDLES[self.lightsail_blueprint]

    @property
    def cron_period_minutes(self) -> int:
        """The longest time between two runs."""
        return _minutes_of(self.cron_schedule) if self.cron_longest_gap is None else self.cron_longest_gap

    def __post_init__(self) -> None:
        self._check_cron()
        self._check_lightsail()
        self._check_web()
        self._check_batch()
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

    def _check_web(self) -> None:
        _require(
            self.architecture in ARCHITECTURES,
            f"architecture: {self.architecture!r} is not one of: {', '.join(ARCHITECTURES)}",
        )
        _require(
            self.web_image is None or _IMAGE.fullmatch(self.web_image) is not None,
            f"web_image: {self.web_image!r} is not like repository:tag or repository@sha256:…",
        )
        _require(
            self.web_certificate_arn is None or _CERTIFICATE.fullmatch(self.web_certificate_arn) is not None,
            f"web_certificate_arn: {self.web_certificate_arn!r} is not like "
            "arn:aws:acm:<region>:<account>:certificate/<id>",
        )

    def _check_batch(self) -> None:
        _require(
            self.batch_max_vcpus in BATCH_VCPUS,
            f"batch_max_vcpus: {self.batch_max_vcpus} is not between {BATCH_VCPUS[0]} and {BATCH_VCPUS[-1]}",
        )
        if self.batch_schedule is not None:
            _check_expression("batch_schedule", self.batch_schedule)
        _require(self.batch_monthly_budget > 0, f"batch_monthly_budget: {self.batch_monthly_budget} is not above 0")
        _require(
            self.batch_image is None or _IMAGE.fullmatch(self.batch_image) is not None,
            f"batch_image: {self.batch_image!r} is not like registry/repository:tag",
        )

    def _check_lightsail(self) -> None:
        _require(
            self.lightsail_blueprint in LIGHTSAIL_BUNDLES,
            f"lightsail_blueprint: {self.lightsail_blueprint!r} is not one of: {', '.join(LIGHTSAIL_BUNDLES)}",
        )
        _require(
            _PLAN.fullmatch(self.lightsail_plan) is not None,
            f"lightsail_bundle: {self.lightsail_bundle!r} is not one of: "
            f"{', '.join(f'{size}_3_0' for size in LIGHTSAIL_SIZES)}; some regions have another last number",
        )
        _require(
            not self.lightsail_plan.startswith("nano") or self.lightsail_blueprint != "wordpress",
            f"lightsail_bundle: WordPress and its database need more than the 512 MB of {self.lightsail_plan}; "
            "take micro",
        )
        _require(
            self.lightsail_database is None
            or re.fullmatch(r"(mysql|postgres)_\d+(_\d+)?", self.lightsail_database) is not None,
            f"lightsail_database: {self.lightsail_database!r} is not an engine like postgres_16; "
            "aws lightsail get-relational-database-blueprints lists them",
        )
        if self.lightsail_ssh_cidr is not None:
            _check_ssh(self.lightsail_ssh_cidr)

    def _check_cron(self) -> None:
        self._check_urls()
        _require(
            _is_time_zone(self.cron_time_zone),
            f"cron_time_zone: {self.cron_time_zone!r} is not a time zone like Europe/Vienna or America/New_York",
        )
        if self.cron_schedule.startswith("cron("):
            self._check_clock()
        else:
            self._check_rate()
        _require(
            0 < self.cron_period_minutes <= MAX_PERIOD_MINUTES,
            f"{'cron_schedule' if self.cron_longest_gap is None else 'cron_longest_gap'}: {self.cron_period_minutes} "
            f"minutes between two runs are not between 1 and {MAX_PERIOD_MINUTES}, in which CloudWatch can tell a "
            "missed run",
        )

    def _check_urls(self) -> None:
        _require(
            0 < len(self.cron_urls) <= MAX_URLS, f"cron_urls: {len(self.cron_urls)} are not between 1 and {MAX_URLS}"
        )
        for url in self.cron_urls:
            fault = _fault_of(url)
            _require(fault is None, f"cron_urls: {url!r} {fault}")
            _require(
                self.cron_allow_private or not _is_private(url),
                f"cron_urls: {url!r} is at a private address; see cron_allow_private",
            )
            _require(self.cron_urls.count(url) == 1, f"cron_urls: {url!r} is there twice")

    def _check_clock(self) -> None:
        _check_expression("cron_schedule", self.cron_schedule)
        _require(
            self.cron_longest_gap is not None,
            "cron_longest_gap: a cron(...) schedule needs the longest time between two runs, in minutes",
        )

    def _check_rate(self) -> None:
        _check_expression("cron_schedule", self.cron_schedule)
        _require(
            self.cron_longest_gap is None,
            f"cron_longest_gap: only for cron(...); {self.cron_schedule} says it itself",
        )
        _require(self.cron_time_zone == UTC, f"cron_time_zone: only for cron(...), not for {self.cron_schedule}")


def _check_ssh(cidr: str) -> None:
    try:
        network = ipaddress.ip_network(cidr)
    except ValueError as error:
        raise ConfigError(f"lightsail_ssh_cidr: {error}; 192.0.2.44/32 is one address") from None
    widest = WIDEST_SSH[network.version]
    _require(
        network.prefixlen >= widest,
        f"lightsail_ssh_cidr: {cidr} would let {'everybody' if network.prefixlen == 0 else 'too many'} try to log in; "
        f"name your own address (curl https://checkip.amazonaws.com), or a network of /{widest} at most",
    )


def _fault_of(url: str) -> str | None:
    if not url:
        return "is no URL; separate URLs by single commas"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return f"is not a URL ({error})"
    if _URL.fullmatch(url) is None:
        return f"is not up to {MAX_URL} printable ASCII characters without a space"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "does not begin with http:// or https:// and a host"
    return "has a user or password in it, which results and metrics would show" if "@" in parts.netloc else None


def _is_private(url: str) -> bool:
    # What a name leads to is for the function to find out.
    try:
        return not ipaddress.ip_address(urlsplit(url).hostname or "").is_global
    except ValueError:
        return False


def _is_time_zone(name: str) -> bool:
    known = available_timezones()
    return name in known or not known  # a machine without any leaves it to AWS


def _check_expression(name: str, schedule: str) -> None:
    if not schedule.startswith("cron("):
        _minutes_of(schedule, name)
        return
    # What stands in the fields is for AWS to judge.
    _require(
        _CRON.fullmatch(schedule) is not None,
        f"{name}: {schedule!r} has not six fields, like cron(0 8-18 ? * MON-FRI *)",
    )
    fields = schedule[len("cron(") : -1].split(" ")
    _require(
        (fields[2] == "?") is not (fields[4] == "?"),
        f"{name}: {schedule!r} needs a ? for the day of the month or for that of the week",
    )


def _minutes_of(rate: str, name: str = "cron_schedule") -> int:
    found = _RATE.fullmatch(rate)
    if found is None or (found[1] == "1") is (found[3] == "s"):
        raise ConfigError(f"{name}: {rate!r} is neither like rate(1 hour) or rate(15 minutes) nor cron(...)")
    return int(found[1]) * _MINUTES[found[2]]


PROFILES: Mapping[str, Config] = {
    "sandbox": Config(
        profile="sandbox",
        retain_data=False,
        log_retention=RetentionDays.ONE_WEEK,  # a week is as long as one remembers an experiment
        watch_closely=False,  # it would cost four times what the three serverless examples do
        container_insights=False,  # they would cost as much as the tasks, and leave a log group behind
    ),
    "production": Config(
        profile="production",
        retain_data=True,
        log_retention=RetentionDays.THREE_MONTHS,  # a quarter, for questions about last month's incident
        watch_closely=True,
        container_insights=True,
    ),
}


def _whole_number(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ConfigError(f"{name}: {value!r} is not a whole number") from None


def _text(_name: str, value: str) -> str:
    return value


def _texts(_name: str, value: str) -> tuple[str, ...]:
    return tuple(value.split(","))


def _truth(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise ConfigError(f"{name}: {value!r} is not true or false")
    return value == "true"


OVERRIDES: Mapping[str, Callable[[str, str], Any]] = {
    "prefix": _text,
    "watch_closely": _truth,
    "alarm_email": _text,
    "api_allowed_origin": _text,
    "thumbnail_max_edge": _whole_number,
    "thumbnail_concurrency": _whole_number,
    "cron_urls": _texts,
    "cron_schedule": _text,
    "cron_time_zone": _text,
    "cron_longest_gap": _whole_number,
    "cron_allow_private": _truth,
    "lightsail_blueprint": _text,
    "lightsail_bundle": _text,
    "lightsail_ssh_cidr": _text,
    "lightsail_disk": _truth,
    "lightsail_database": _text,
    "lightsail_bucket": _truth,
    "architecture": _text,
    "web_image": _text,
    "publish_web_image": _truth,
    "web_certificate_arn": _text,
    "container_insights": _truth,
    "batch_max_vcpus": _whole_number,
    "batch_schedule": _text,
    "batch_monthly_budget": _whole_number,
    "batch_image": _text,
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
