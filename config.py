"""The settings. A fork edits this file. settings_checks.py refuses a value that cannot be deployed.

Most settings can also be given to one command: `make deploy CONTEXT="-c alarm_email=me@example.com"`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from aws_cdk.aws_logs import RetentionDays

import settings_checks as checks

FILE_ONLY = {"file_only": True}
"""Marks a setting that `-c` cannot change: the next deployment without that option would undo the change."""


def sandbox() -> "Config":
    """Return the default settings, for trying things out: cheap, and `make destroy` leaves nothing behind."""
    return Config(
        profile="sandbox",
        retain_data=False,
        log_retention=RetentionDays.ONE_WEEK,  # nobody remembers an experiment for longer
        watch_closely=False,  # it costs four times as much as the three serverless examples
        container_insights=False,  # they cost as much as the tasks, and leave a log group behind
    )


def production() -> "Config":
    """Return the settings for real use: data is kept and protected, and alarms warn early."""
    return Config(
        profile="production",
        retain_data=True,
        log_retention=RetentionDays.THREE_MONTHS,  # a quarter, for questions about last month's incident
        watch_closely=True,
        container_insights=True,
    )


PROFILES: Mapping[str, Callable[[], "Config"]] = {"sandbox": sandbox, "production": production}


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """All settings of one deployment. A setting without a default is in both profiles. Raises ConfigError."""

    profile: str = field(metadata=FILE_ONLY)
    """`sandbox` or `production`. Every resource has it as a tag."""
    prefix: str = "compute"
    """First part of every stack's name. With another prefix, an account has room for a second deployment."""
    retain_data: bool = field(metadata=FILE_ONLY)
    """Whether buckets, tables and logs are protected, and kept when their stack is deleted."""
    log_retention: RetentionDays = field(metadata=FILE_ONLY)
    """How long CloudWatch keeps log events. Storing them costs $0.03 per GB and month."""
    watch_closely: bool
    """Whether to add alarms on retried errors, throttling and slowness, the API's dashboard, and metrics of each site's
    speed and certificate. docs/decisions.md has the cost. Without it, alarms only report what was lost."""
    alarm_email: str | None = None
    """Address that receives the alarms. Without it, alarms only change colour in the console."""

    thumbnail_max_edge: int = 256
    """Longest edge of a thumbnail in pixels. 256 suits two columns of a phone's gallery."""
    thumbnail_concurrency: int | None = None
    """Executions reserved for the thumbnail function, also its maximum: a bulk upload cannot starve other functions.
    None reserves nothing: a new account has 10 and must leave 10 unreserved. To reserve 50, it needs a quota of 60.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""

    cron_urls: tuple[str, ...] = ("https://example.com/",)
    """URLs to check, with commas between them. Each costs $0.30 a month for its metric and $0.10 for its alarm."""
    cron_schedule: str = "rate(1 hour)"
    """When to check: `rate(15 minutes)`, or exact times such as `cron(0 8-18 ? * MON-FRI *)`.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html"""
    cron_time_zone: str = checks.UTC
    """Time zone of a cron(...) schedule: `Europe/Vienna`."""
    cron_longest_gap: int | None = None
    """Most minutes between two runs of cron(...). Twice that time without a run raises an alarm. None for rate(...)."""
    cron_allow_private: bool = False
    """Whether URLs may have private and link-local addresses, which only the function can reach."""

    api_allowed_origin: str = "*"
    """Web site whose pages may call the API (`https://notes.example.com`), or `*` for every site. `*` is safe, because
    the API uses no cookies: a page cannot make a browser call it with permissions that the page does not have."""

    architecture: str = "arm64"
    """Processor of the containers and their machines: `arm64`, which is a fifth cheaper, or `x86_64`."""
    publish_web_image: bool = True
    """Whether deploying the ecr stack puts the web image into its repository. This needs Docker, as building does."""
    web_image: str | None = None
    """Image of both web services: `<repository>:<tag>`, here or after its registry. None builds containers/web."""
    web_certificate_arn: str | None = None
    """ACM certificate in the same region. With it, the web services use HTTPS, and HTTP only redirects."""
    container_insights: bool
    """Whether ECS has metrics of each task and container. docs/decisions.md has the cost. ECS creates a log group for
    them, which outlives the stack."""

    lightsail_blueprint: str = "ubuntu_24_04"
    """What the server runs: `ubuntu_24_04`, which serves a page of this project, or `wordpress`."""
    lightsail_bundle: str | None = None
    """The server's plan: size and price. None is the smallest for the blueprint, by its name in most regions."""
    lightsail_ssh_cidr: str | None = None
    """Addresses that may connect by SSH: `192.0.2.44/32` is one address. None allows no address."""
    lightsail_disk: bool = False
    """A second disk of 8 GB, $0.10 a GB and month, which can be moved to another server."""
    lightsail_database: str | None = None
    """Engine of a managed database, $15 a month: `postgres_16`. Engines come and go;
    `aws lightsail get-relational-database-blueprints` lists today's. None creates no database."""
    lightsail_bucket: bool = False
    """A bucket that the server can use without keys, $1 a month."""

    batch_max_vcpus: int = 16
    """Most vCPUs of all jobs, on Spot and on on-demand instances each: 16 run eight children of two. Stay within the
    account's quotas, often 5 at first: AWS refuses the single instance of this size that Batch may request."""
    batch_schedule: str | None = None
    """When to submit a job over the whole bucket, in UTC: `cron(0 3 * * ? *)` for every night. None: never."""
    batch_monthly_budget: int = 10
    """Dollars a month for the whole account. A mail goes to alarm_email when costs exceed it, or a forecast does."""
    batch_image: str | None = None
    """Image of the job: `<registry>/<repository>:<tag>` of a public registry. None builds containers/batch."""

    def __post_init__(self) -> None:
        checks.check(self)

    @property
    def lightsail_plan(self) -> str:
        """The bundle that is deployed."""
        return self.lightsail_bundle or checks.LIGHTSAIL_BUNDLES[self.lightsail_blueprint]

    @property
    def cron_period(self) -> int:
        """The longest time between two runs, in minutes."""
        return checks.minutes_of_rate(self.cron_schedule) if self.cron_longest_gap is None else self.cron_longest_gap

    def settings_of(self, stem: str) -> dict[str, Any]:
        """Return an example's settings by the names of its stack's parameters: `cron_urls` as `urls`."""
        names = [each.name for each in fields(self) if each.name.startswith(f"{stem}_")]
        return {name.removeprefix(f"{stem}_"): getattr(self, name) for name in names}


CONTEXT_SETTINGS = {each.name: each.type for each in fields(Config) if not each.metadata}
"""The settings that `-c` can change, and their types."""


def from_context(context: Mapping[str, Any]) -> Config:
    """Return the settings of the profile that the CDK context names (default: sandbox), changed by the context.

    Raises ConfigError for an unknown profile, a bad value or a misspelled name.
    """
    checks.check_names(context, ["profile", *CONTEXT_SETTINGS], [each.name for each in fields(Config)])
    profile = checks.choice("profile", str(context.get("profile", "sandbox")), PROFILES)
    return replace(PROFILES[profile](), **checks.parse(context, CONTEXT_SETTINGS))
