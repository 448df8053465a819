"""The settings of a deployment. A fork edits this file. settings_checks.py rejects values that cannot be deployed.

The option `-c` changes a setting for one command only: `make deploy CONTEXT="-c alarm_email=me@example.com"`.
An empty value means None or (): `-c vpc=` sets vpc to None.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from aws_cdk.aws_logs import RetentionDays

import settings_checks as checks

FILE_ONLY = {"file_only": True}
"""Marks settings that `-c` cannot change. If it could, the next deployment without `-c` would unprotect the data."""


def sandbox() -> "Config":
    """Return the default settings, for experiments: cheap, and `make destroy` leaves nothing behind."""
    return Config(
        profile="sandbox",
        retain_data=False,
        log_retention=RetentionDays.ONE_WEEK,  # long enough for an experiment
        watch_closely=False,  # True would cost four times as much as thumbnail, cron and api together
        container_insights=False,  # True would cost as much as the tasks, and leave a log group behind
    )


def production() -> "Config":
    """Return the settings for real use: data is kept and protected, and alarms warn early."""
    return Config(
        profile="production",
        retain_data=True,
        log_retention=RetentionDays.THREE_MONTHS,  # long enough to examine an incident of the last month
        watch_closely=True,
        container_insights=True,
    )


PROFILES: Mapping[str, Callable[[], "Config"]] = {"sandbox": sandbox, "production": production}


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """The settings of one deployment. A profile sets every field that has no default. Bad values raise ConfigError."""

    profile: str = field(metadata=FILE_ONLY)
    """`sandbox` or `production`. Every resource has a tag with this value."""
    prefix: str = "compute"
    """First part of every stack's name. To deploy a second time in the same account, use another prefix. Cognito
    refuses the words aws, amazon and cognito in it."""
    retain_data: bool = field(metadata=FILE_ONLY)
    """Whether buckets, tables and logs are protected, and remain when their stack is deleted."""
    log_retention: RetentionDays = field(metadata=FILE_ONLY)
    """Time for which CloudWatch keeps log events. Storage costs $0.03 per GB and month."""
    watch_closely: bool
    """Whether to add alarms that warn before anything is lost (retried errors, throttling, slow answers), a dashboard
    of the API, and metrics of each checked site's speed and certificate. docs/decisions.md has the cost."""
    alarm_email: str | None = None
    """E-mail address that receives the alarms. With None, you see alarms only in the AWS console."""
    organization_rules: bool = False
    """Whether to follow more of the rules of AWS Control Tower: keys in KMS, versions of all objects, logs of a year.
    It needs alarm_email, and costs $1 a month for each stack with logs. docs/security.md has the rules and the cost."""

    thumbnail_max_edge: int = 256
    """Longest edge of a thumbnail in pixels. With 256, two thumbnails fit side by side on a phone."""
    thumbnail_concurrency: int | None = None
    """Concurrent executions reserved for the thumbnail function, which cannot use more. 100 must stay unreserved, and a
    new account has only 10. https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""

    cron_urls: tuple[str, ...] = ("https://example.com/",)
    """URLs to check. For `-c`, put commas between them. Each URL costs $0.30 (metric) and $0.10 (alarm) a month."""
    cron_schedule: str = "rate(1 hour)"
    """When to check: `rate(15 minutes)`, or exact times such as `cron(0 8-18 ? * MON-FRI *)`. See docs/cron.md."""
    cron_time_zone: str = checks.UTC
    """Time zone of a cron(...) schedule, such as `Europe/Vienna`."""
    cron_longest_gap: int | None = None
    """Maximum minutes between two cron(...) runs. An alarm starts after twice this time. Use None with rate(...)."""
    cron_allow_private: bool = False
    """Whether to check hosts with private and link-local addresses too. The internet cannot reach such hosts."""

    function_image_name: str | None = None
    """Image of the function: `<repository>:<tag>` in ECR in this account and region. With None, the CLI builds it."""

    api_allowed_origin: str = "*"
    """Web site whose pages may call the API (`https://notes.example.com`), or `*` for every site. `*` is safe, because
    the API uses no cookies. Browsers add no credentials to a request, so every page needs an API key or a token."""

    api_self_sign_up: bool = False
    """Whether everybody can create a user for themselves. With False, only you create users: docs/api.md."""
    api_callback_urls: tuple[str, ...] = ("http://localhost:8000/",)
    """Addresses of your web page to which the sign-in page may return. For `-c`, put commas between them."""
    api_domain_name: str | None = None
    """Your own domain name for the API, such as `api.example.com`. It needs api_certificate_arn. See docs/api.md."""
    api_certificate_arn: str | None = None
    """ACM certificate for api_domain_name, in the same region."""
    api_base_path: str | None = None
    """First part of the path at api_domain_name: with `shop`, the URL is https://api.example.com/shop/v1/notes."""

    websocket_access_log: bool = False
    """Whether API Gateway writes an access log of the board. Before, set a role for its logs in the account's settings:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html. See docs/websocket.md."""

    architecture: str = "arm64"
    """Processor type of the containers and of their machines: `x86_64`, or `arm64`, which costs a fifth less."""
    availability_zones: tuple[str, ...] = ()
    """Two zones for the VPCs of ecs_ec2, fargate and batch. With (), they use the first two zones: docs/fargate.md."""
    vpc: str | None = None
    """Existing VPC for ecs_ec2, fargate and batch: see docs/fargate.md. With None, each of them creates a VPC."""
    publish_web_image: bool = True
    """Whether the ecr stack's deployment copies the web image into its repository. Building the image needs Docker."""
    web_image: str | None = None
    """Image of both web services: `<repository>:<tag>` in this account, or `<registry>/<repository>:<tag>`. With None,
    the CDK CLI builds the image from containers/web."""
    web_certificate_arn: str | None = None
    """ACM certificate in the same region. With it, the web services use HTTPS, and redirect HTTP requests to HTTPS."""
    container_insights: bool
    """Whether ECS writes more metrics of the cluster and the service. docs/decisions.md has their cost."""

    lightsail_blueprint: str = "ubuntu_24_04"
    """The server's software: `ubuntu_24_04` with a web page of this project, or `wordpress`."""
    lightsail_bundle: str | None = None
    """Size and price of the server: `small_3_0`. With None, it is the smallest size, by its name in most regions."""
    lightsail_ssh_cidr: str | None = None
    """Network that may connect by SSH: `192.0.2.44/32` is a single address. With None, nobody can connect by SSH."""
    lightsail_disk: bool = False
    """Whether to add a disk of 8 GB that can be moved to another server. It costs $0.10 a GB and month."""
    lightsail_database: str | None = None
    """Engine of a managed database for $15 a month: `postgres_16`. None creates no database. See docs/lightsail.md."""
    lightsail_bucket: bool = False
    """Whether to add a bucket, which the server can use without access keys. It costs $1 a month."""

    batch_max_vcpus: int = 4
    """Maximum number of vCPUs on Spot instances, and the same number again on on-demand instances. Batch may request
    all in one instance, and may exceed the number by one instance. 4 vCPUs run two children (jobs of an array) at once.
    A new account's quota is 5 vCPUs."""
    batch_instance_types: tuple[str, ...] = ()
    """Instance types, such as `m7i-flex.large`. With (), Batch chooses. The Free plan allows few: see docs/batch.md."""
    batch_schedule: str | None = None
    """When to submit a job for all pictures, in UTC: `cron(0 3 * * ? *)` is every night. With None, only you submit."""
    batch_monthly_budget: int | None = None
    """Budget of the whole account, in dollars a month. It needs alarm_email. With None, there is no budget."""
    batch_image: str | None = None
    """Image of the job: `<registry>/<repository>:<tag>` in a public registry. With None, the CLI builds it."""

    def __post_init__(self) -> None:
        checks.check_settings(self)

    @property
    def lightsail_bundle_or_default(self) -> str:
        """The bundle that is deployed."""
        return self.lightsail_bundle or checks.LIGHTSAIL_BUNDLES[self.lightsail_blueprint]

    @property
    def cron_longest_gap_or_rate(self) -> int:
        """The longest time between two runs, in minutes. A rate(...) schedule contains this time."""
        return checks.minutes_of_rate(self.cron_schedule) if self.cron_longest_gap is None else self.cron_longest_gap

    def settings_of(self, stem: str) -> dict[str, Any]:
        """Return the settings that begin with `stem`, without this prefix: with `cron`, `cron_urls` becomes `urls`."""
        names = [each.name for each in fields(self) if each.name.startswith(f"{stem}_")]
        return {name.removeprefix(f"{stem}_"): getattr(self, name) for name in names}


CONTEXT_SETTINGS = {each.name: each.type for each in fields(Config) if not each.metadata}
"""The settings that `-c` can change, and their types."""


def from_context(context: Mapping[str, Any]) -> Config:
    """Return the settings of a profile (default: sandbox), changed by `-c` options. A bad option raises ConfigError."""
    checks.check_names(context, ["profile", *CONTEXT_SETTINGS], [each.name for each in fields(Config)])
    profile = checks.check_choice("profile", str(context.get("profile", "sandbox")), PROFILES)
    return replace(PROFILES[profile](), **checks.parse_settings(context, CONTEXT_SETTINGS))
