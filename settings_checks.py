"""Functions that parse the `-c name=value` options, and that reject settings which cannot be deployed."""

import difflib
import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

if TYPE_CHECKING:
    from config import Config

UTC = "Etc/UTC"
MAX_URLS = 50
"""Maximum number of URLs, because the function can check only so many at the same time."""
MAX_URL_LENGTH = 255
"""Maximum length of a URL, in characters. A URL is the value of a metric's dimension. For such a value, CDK's alarms
accept at most 255 characters, and CloudWatch itself accepts 1,024."""
MAX_GAP_MINUTES = 5040
"""The longest time between two runs: three and a half days. The alarm on a missed run examines twice this time, and
CloudWatch allows an alarm to examine one week at most.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
LIGHTSAIL_BUNDLES: Mapping[str, str] = {"ubuntu_24_04": "nano_3_0", "wordpress": "micro_3_0"}
"""The smallest bundle (size and price of a server) for each blueprint (its software). nginx needs less than the 512 MB
of nano. Lightsail would also start WordPress on nano, because the blueprint's minPower is 0. But WordPress and its
database soon need more memory.
https://docs.aws.amazon.com/cli/latest/reference/lightsail/get-blueprints.html
https://docs.aws.amazon.com/cli/latest/reference/lightsail/get-bundles.html"""
LIGHTSAIL_SIZES = ("nano", "micro", "small")
"""These sizes cost $5, $7 and $12 a month, with a public IPv4 address. The name of a bundle contains the size, the
generation and a number for the region: nano_3_0 in most regions, nano_3_1 in Mumbai, nano_3_2 in Sydney."""
MIN_SSH_PREFIX = {4: 8, 6: 32}
"""The shortest prefix length for each IP version. Networks of this size belong to one company or provider. A shorter
prefix would open SSH to many companies."""

CHOICES: Mapping[str, Collection[str]] = {
    "architecture": ("arm64", "x86_64"),
    "lightsail_blueprint": LIGHTSAIL_BUNDLES,
}
RANGES: Mapping[str, tuple[int, int | None]] = {
    "thumbnail_max_edge": (16, 2048),  # pixels: a smaller picture is unreadable, and a larger one is no thumbnail
    "thumbnail_concurrency": (1, None),
    "batch_max_vcpus": (4, 10_000),  # an array job has 2 to 10,000 children, and each needs 2 vCPUs
    "batch_monthly_budget": (1, None),
}
"""The smallest and the largest value of a setting. If the second number is None, there is no largest value."""
_IMAGE = (
    r"([a-z0-9.-]+(:\d+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})"
)
ZONE_PATTERN = r"[a-z]{2}(-[a-z]+)+-\d(-[a-z0-9-]+)?[a-z]"
"""The pattern of an Availability Zone's name, such as eu-west-1a. The zones of a region differ in the last letter."""
_CERTIFICATE = (
    r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]+",
    "arn:aws:acm:<region>:<account>:certificate/<id>",
)
_ID = "([0-9a-f]{8}|[0-9a-f]{17})"
_SUBNET = rf"{ZONE_PATTERN}:subnet-{_ID}"
PATTERNS: Mapping[str, tuple[str, str]] = {
    # The domain of Cognito's sign-in page begins with the prefix, and Cognito refuses these three words in it.
    "prefix": (
        r"(?!.*(aws|amazon|cognito))[a-z][a-z0-9-]{0,19}",
        "1 to 20 characters of a-z, 0-9 and '-'. The first is a letter. It cannot contain aws, amazon or cognito",
    ),
    "alarm_email": (r"[^@\s]+@[^@\s]+\.[^@\s]+", "an address like name@example.com"),
    "api_allowed_origin": (r"\*|https?://[a-z0-9.-]+(:\d{1,5})?", "'*' or an origin like https://notes.example.com"),
    "api_domain_name": (
        r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])",
        "a name in small letters, like api.example.com",
    ),
    "api_certificate_arn": _CERTIFICATE,
    # API Gateway also allows other first characters. But it reads (none) as no base path, and clients remove /../.
    "api_base_path": (
        r"[A-Za-z0-9][A-Za-z0-9$_.+!*'()-]*",
        "a name like shop: letters, digits and $-_.+!*'(), without '/'. The first is a letter or a digit",
    ),
    "function_image_name": (
        r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})",
        "repository:tag or repository@sha256:… of ECR in the same account",
    ),
    "web_image": (_IMAGE, "repository:tag or repository@sha256:…"),
    "web_certificate_arn": _CERTIFICATE,
    "lightsail_bundle": (
        rf"({'|'.join(LIGHTSAIL_SIZES)})_3_[0-9]",
        f"{', '.join(f'{size}_3_0' for size in LIGHTSAIL_SIZES)}, or with your region's digit at the end",
    ),
    "lightsail_database": (
        r"(mysql|postgres)_\d+(_\d+)?",
        "an engine like postgres_16 (aws lightsail get-relational-database-blueprints lists all engines)",
    ),
    "batch_image": (_IMAGE, "registry/repository:tag"),
    "vpc": (rf"vpc-{_ID}(/{_SUBNET},{_SUBNET}){{1,2}}", "vpc-<id>/<zone>:subnet-<id>,<zone>:subnet-<id>"),
}
"""The regular expression of a setting's whole text, and its description for the error message."""
CALLBACK_URL = (
    r"https://[A-Za-z0-9.-]+(:\d{1,5})?(/[^\s#]*)?|http://localhost(:\d{1,5})?(/[^\s#]*)?",
    "https://…, or http://localhost:… for a page on your own machine, without #",
)
"""The pattern of an address to which Cognito's sign-in page may return, and its description. Cognito requires HTTPS.
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html"""
ZONES = 2
"""A VPC of this project has this number of zones."""
ARM_FAMILY_PATTERN = r"[a-z]+\d+g[a-z]*(-flex)?"
"""The pattern of the instance families with arm64: `g` follows the number of the generation, as in c7g or t4g."""
SMALL_SIZES = ("nano", "micro", "small", "medium")
"""Instances of these sizes are too small for a child (one job of an array), which needs 2 vCPUs and 3,584 MiB."""


class ConfigError(ValueError):
    """A setting that cannot be deployed. The message is one line: the setting, the problem and the solution."""


# -- the options `-c name=value`, which CDK calls the context


def check_names(context: Collection[str], known: Collection[str], fields: Collection[str]) -> None:
    """Raise ConfigError if the context contains a misspelled setting, or a setting that only config.py can change.

    `known` are the settings that `-c` can change. `fields` are all settings.
    """
    # An unknown name is allowed if it is not similar to a setting, because CDK, its plug-ins and ~/.cdk.json also write
    # values into the context.
    settings = ", ".join(known)
    for name in (name for name in context if name not in known):
        if name in fields:
            raise ConfigError(f"{name}: set it in config.py. -c can change: {settings}.")
        similar = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        if similar:
            raise ConfigError(f"{name}: no such setting. Did you mean {similar[0]!r}? The settings are: {settings}.")


def parse_settings(context: Mapping[str, Any], types: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings in the context. The texts are converted to the types of the settings.

    An empty text means None or (), if the setting can have this value.
    """
    return {name: _parse_text(name, str(context[name]), type_) for name, type_ in types.items() if name in context}


def _parse_text(name: str, text: str, type_: Any) -> Any:
    if type_ == tuple[str, ...]:
        return tuple(text.split(",")) if text else ()
    if not text and isinstance(None, type_):
        return None
    if type_ is bool:
        return check_choice(name, text, ("true", "false")) == "true"
    if type_ in (int, int | None):
        try:
            return int(text)
        except ValueError:
            raise ConfigError(f"{name}: {text!r} is not a whole number.") from None
    return text


def check_choice(name: str, value: str, choices: Collection[str]) -> str:
    """Return the value if it is one of the choices. Raises ConfigError if it is not."""
    if value not in choices:
        raise ConfigError(f"{name}: {value!r} is not supported. Use one of: {', '.join(choices)}.")
    return value


# -- the values of all settings


def check_settings(config: "Config") -> None:
    """Check the values of all settings. Raises ConfigError for the first bad value."""
    for name, choices in CHOICES.items():
        check_choice(name, getattr(config, name), choices)
    for name, (low, high) in RANGES.items():
        _check_range(name, getattr(config, name), low, high)
    for name, (pattern, description) in PATTERNS.items():
        _check_pattern(name, getattr(config, name), pattern, description)
    _check_urls(config.cron_urls, allow_private=config.cron_allow_private)
    _check_callback_urls(config.api_callback_urls)
    _check_domain(config)
    _check_cron(config)
    _check_zones(config.availability_zones)
    if config.vpc is not None:
        _check_vpc(config)
    _check_instance_types(config.batch_instance_types, config.architecture)
    if config.batch_schedule is not None:
        _check_schedule("batch_schedule", config.batch_schedule)
    if config.batch_monthly_budget is not None and config.alarm_email is None:
        raise ConfigError("batch_monthly_budget: also set alarm_email, which is the address for the budget's mails.")
    if config.organization_rules and config.alarm_email is None:
        raise ConfigError(
            "organization_rules: also set alarm_email, because the rules require an action of each alarm."
        )
    if config.lightsail_ssh_cidr is not None:
        _check_ssh(config.lightsail_ssh_cidr)
    if config.lightsail_blueprint == "wordpress" and config.lightsail_bundle_or_default.startswith("nano"):
        raise ConfigError("lightsail_bundle: WordPress needs more memory than the 512 MB of nano. Use micro.")


def _check_range(name: str, value: int | None, low: int, high: int | None) -> None:
    if value is not None and (value < low or (high is not None and value > high)):
        allowed = f"{low} or more" if high is None else f"{low} to {high}"
        raise ConfigError(f"{name}: {value} is out of range. Use {allowed}.")


def _check_callback_urls(urls: Sequence[str]) -> None:
    if not urls:
        raise ConfigError("api_callback_urls: name at least one address, such as http://localhost:8000/.")
    for url in urls:
        _check_pattern("api_callback_urls", url, *CALLBACK_URL)


def _check_domain(config: "Config") -> None:
    if config.api_domain_name is not None and config.api_certificate_arn is None:
        raise ConfigError("api_domain_name: also set api_certificate_arn, because API Gateway uses only HTTPS.")
    for name in ("api_certificate_arn", "api_base_path"):
        if getattr(config, name) is not None and config.api_domain_name is None:
            raise ConfigError(f"{name}: also set api_domain_name, because only a domain of your own uses it.")


def _check_pattern(name: str, text: str | None, pattern: str, description: str) -> None:
    if text is not None and re.fullmatch(pattern, text) is None:
        raise ConfigError(f"{name}: {text!r} is not valid. Use {description}.")


# -- the network of ecs_ec2, fargate and batch


def _check_zones(zones: Sequence[str]) -> None:
    for zone in zones:
        _check_pattern("availability_zones", zone, ZONE_PATTERN, "names like eu-west-1a,eu-west-1b")
    if zones and (len(zones) != ZONES or len({*zones}) != ZONES or len({zone[:-1] for zone in zones}) != 1):
        raise ConfigError(f"availability_zones: {','.join(zones)} is not valid. Use {ZONES} zones of one region.")


def _check_vpc(config: "Config") -> None:
    subnet_lists = str(config.vpc).split("/")[1:]
    zones = [[subnet.partition(":")[0] for subnet in subnets.split(",")] for subnets in subnet_lists]
    if any(zone_names != zones[0] for zone_names in zones) or len({*zones[0]}) != ZONES:
        raise ConfigError(
            f"vpc: {config.vpc!r} is not valid. Use two zones, in the same order for both kinds of subnets."
        )
    if config.availability_zones:
        raise ConfigError("vpc: remove availability_zones, because the subnets of an existing VPC have their zones.")


# -- the batch example


def _check_instance_types(types: Sequence[str], architecture: str) -> None:
    for name in types:
        _check_pattern("batch_instance_types", name, r"[a-z0-9-]+\.[a-z0-9-]+", "types like m7i-flex.large")
        family, _, size = name.partition(".")
        needed = "arm64" if re.fullmatch(ARM_FAMILY_PATTERN, family) else "x86_64"
        if needed != architecture:
            raise ConfigError(f"batch_instance_types: {name} is a type for {needed}. Also set architecture={needed}.")
        if size in SMALL_SIZES:
            raise ConfigError(f"batch_instance_types: {name} has too little memory. Use large, or a larger size.")


# -- the cron example


def _check_urls(urls: Sequence[str], *, allow_private: bool) -> None:
    if not 0 < len(urls) <= MAX_URLS:
        raise ConfigError(f"cron_urls: {len(urls)} URLs are too many or too few. Use 1 to {MAX_URLS}.")
    for url in urls:
        problem = _find_problem(url)
        if problem is None and _is_private(url) and not allow_private:
            problem = "is a private address. Set cron_allow_private to allow it."
        if problem is None and urls.count(url) > 1:
            problem = "is listed twice. Remove one."
        if problem is not None:
            raise ConfigError(f"cron_urls: {url!r} {problem}")


def _find_problem(url: str) -> str | None:
    """Return the reason why the function cannot check the URL, or None if it can."""
    if not url:
        return "is not a URL. Put one comma between two URLs."
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return f"is not a URL: {error}."
    if re.fullmatch(rf"[!-~]{{1,{MAX_URL_LENGTH}}}", url) is None:
        return f"is not supported. Use up to {MAX_URL_LENGTH} printable ASCII characters, without spaces."
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "is not supported. Begin with http:// or https:// and a host name."
    if "@" in parts.netloc:
        return "contains a user name or a password. Remove it, because results and metrics would show it."
    return None


def _is_private(url: str) -> bool:
    # This check finds only addresses in the URL itself. When the Lambda function runs, it checks those of host names.
    try:
        return not ipaddress.ip_address(urlsplit(url).hostname or "").is_global
    except ValueError:
        return False


def _check_cron(config: "Config") -> None:
    _check_schedule("cron_schedule", config.cron_schedule)
    _check_time_zone(config.cron_time_zone)
    if config.cron_schedule.startswith("cron("):
        if config.cron_longest_gap is None:
            raise ConfigError("cron_longest_gap: set the longest time between two runs of cron(...), in minutes.")
    else:
        _check_settings_for_rate(config)
    if not 0 < config.cron_longest_gap_or_rate <= MAX_GAP_MINUTES:
        name = "cron_schedule" if config.cron_longest_gap is None else "cron_longest_gap"
        raise ConfigError(
            f"{name}: {config.cron_longest_gap_or_rate} minutes between two runs are out of range. "
            f"Use 1 to {MAX_GAP_MINUTES}. With a longer time, CloudWatch could not detect a missed run."
        )


def _check_settings_for_rate(config: "Config") -> None:
    if config.cron_longest_gap is not None:
        raise ConfigError(f"cron_longest_gap: remove it, because {config.cron_schedule} contains this time.")
    if config.cron_time_zone != UTC:
        raise ConfigError(f"cron_time_zone: remove it, because only cron(...) has a time zone: {config.cron_schedule}.")


@cache
def _known_time_zones() -> set[str]:
    """Return the time zones of this machine. Reading them takes long, so a process reads them once."""
    return available_timezones()


def _check_time_zone(name: str) -> None:
    # Some machines have no list of time zones. In this case only AWS checks the name, when it deploys the schedule.
    known = _known_time_zones()
    if known and name not in known:
        raise ConfigError(f"cron_time_zone: {name!r} does not exist. Use a name like Europe/Vienna.")


# -- schedules


def _check_schedule(name: str, schedule: str) -> None:
    if schedule.startswith("cron("):
        _check_cron_expression(name, schedule)
    elif re.fullmatch(r"rate\((1 (minute|hour|day)|(?!1 )[1-9][0-9]{0,5} (minutes|hours|days))\)", schedule) is None:
        raise ConfigError(f"{name}: {schedule!r} is not valid. Use rate(1 hour), rate(15 minutes) or cron(...).")


def _check_cron_expression(name: str, schedule: str) -> None:
    # This function checks only the form. AWS checks the content of each field.
    if re.fullmatch(r"cron\([0-9A-Z*?,/LW#-]+( [0-9A-Z*?,/LW#-]+){5}\)", schedule) is None:
        raise ConfigError(f"{name}: {schedule!r} is not valid. Use six fields, as in cron(0 8-18 ? * MON-FRI *).")
    _, _, day_of_month, _, day_of_week, _ = schedule.split(" ")
    if (day_of_month == "?") is (day_of_week == "?"):
        raise ConfigError(f"{name}: {schedule!r} is not valid. Use ? for the day of the month or the day of the week.")


def minutes_of_rate(rate: str) -> int:
    """Return the minutes between two runs of a schedule `rate(...)`, which must be valid."""
    number, unit = rate.removeprefix("rate(").removesuffix(")").split(" ")
    return int(number) * {"minute": 1, "hour": 60, "day": 1440}[unit.removesuffix("s")]


# -- the Lightsail example


def _check_ssh(cidr: str) -> None:
    try:
        network = ipaddress.ip_network(cidr)
    except ValueError as error:
        raise ConfigError(f"lightsail_ssh_cidr: {error}. One address is 192.0.2.44/32.") from None
    shortest = MIN_SSH_PREFIX[network.version]
    if network.prefixlen < shortest:
        people = "everybody" if network.prefixlen == 0 else "too many people"
        raise ConfigError(
            f"lightsail_ssh_cidr: {cidr} lets {people} try to log in. Use your own address "
            f"(curl https://checkip.amazonaws.com), or a network with a prefix of /{shortest} or longer."
        )
