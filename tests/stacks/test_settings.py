"""These tests check that `-c` accepts valid values of settings and refuses invalid values.

For some settings, they also check how the setting changes the template.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import settings_checks
from config import CONTEXT_SETTINGS, from_context, production, sandbox
from settings_checks import ConfigError
from tests.support.apps import properties_of, template_with
from tests.support.folders import ROOT
from tools.templates import resources

CERTIFICATE = "arn:aws:acm:us-east-1:000000000000:certificate/0f"
VPC = "vpc-0aaaaaaa/eu-west-1a:subnet-0aaaaaaa,eu-west-1b:subnet-0bbbbbbb"
PRIVATE_SUBNETS = "eu-west-1a:subnet-0ccccccc,eu-west-1b:subnet-0ddddddd"
CRON_SCHEDULE = {"cron_schedule": "cron(0 8 * * ? *)", "cron_longest_gap": "1500"}
API_DOMAIN = {"api_domain_name": "api.example.com", "api_certificate_arn": CERTIFICATE}
NEEDED_SETTINGS = {
    "api_domain_name": API_DOMAIN,
    "api_certificate_arn": API_DOMAIN,
    "api_base_path": API_DOMAIN,
    "cron_time_zone": CRON_SCHEDULE,
    "cron_longest_gap": CRON_SCHEDULE,
    "batch_monthly_budget": {"alarm_email": "me@example.com"},
    "organization_rules": {"alarm_email": "me@example.com"},
}
"""Some settings are valid only with other settings. The values are those other settings."""
TOO_MANY_URLS = ",".join(f"https://{number}.example/" for number in range(51))


def test_the_sandbox_profile_is_the_default() -> None:
    assert from_context({}) == sandbox()
    assert from_context({"profile": "production"}) == production()


def test_context_values_that_are_not_settings_are_ignored() -> None:
    assert from_context({"@aws-cdk/core:x": True, "vpc-provider:account=1": {}, "owner": "me"}) == sandbox()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("prefix", "x" * 20, "x" * 20),
        ("watch_closely", "true", True),
        ("alarm_email", "me@example.com", "me@example.com"),
        ("organization_rules", "true", True),
        ("api_allowed_origin", "https://notes.example.com", "https://notes.example.com"),
        ("api_self_sign_up", "true", True),
        (
            "api_callback_urls",
            "https://notes.example.com/signed-in,http://localhost:3000/",
            ("https://notes.example.com/signed-in", "http://localhost:3000/"),
        ),
        ("api_domain_name", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("api_certificate_arn", CERTIFICATE, CERTIFICATE),
        ("api_base_path", "shop", "shop"),
        ("api_base_path", "Shop-1_$.+!*'()", "Shop-1_$.+!*'()"),
        ("api_base_path", "", None),
        ("thumbnail_max_edge", "128", 128),
        ("thumbnail_concurrency", "50", 50),
        ("cron_urls", "https://a.example/,https://b.example/", ("https://a.example/", "https://b.example/")),
        ("cron_schedule", "rate(15 minutes)", "rate(15 minutes)"),
        ("cron_time_zone", "Europe/Vienna", "Europe/Vienna"),
        ("cron_longest_gap", "1440", 1440),
        ("cron_allow_private", "true", True),
        ("architecture", "x86_64", "x86_64"),
        ("availability_zones", "us-west-1a,us-west-1c", ("us-west-1a", "us-west-1c")),
        ("vpc", VPC, VPC),
        (
            "vpc",
            f"{VPC}/eu-west-1a:subnet-0ccccccc,eu-west-1b:subnet-0ddddddd",
            f"{VPC}/eu-west-1a:subnet-0ccccccc,eu-west-1b:subnet-0ddddddd",
        ),
        ("vpc", "", None),
        ("availability_zones", "", ()),
        ("cron_longest_gap", "", None),
        ("function_image_name", "mine:v1", "mine:v1"),
        ("web_image", "web:v1", "web:v1"),
        ("publish_web_image", "false", False),
        ("web_certificate_arn", CERTIFICATE, CERTIFICATE),
        ("container_insights", "true", True),
        ("lightsail_blueprint", "wordpress", "wordpress"),
        ("lightsail_bundle", "small_3_2", "small_3_2"),
        ("lightsail_ssh_cidr", "10.0.0.0/8", "10.0.0.0/8"),
        ("lightsail_ssh_cidr", "2001:db8::/32", "2001:db8::/32"),
        ("lightsail_disk", "true", True),
        ("lightsail_database", "postgres_16", "postgres_16"),
        ("lightsail_bucket", "true", True),
        ("websocket_access_log", "true", True),
        ("batch_max_vcpus", "4", 4),
        ("batch_instance_types", "c7g.large,m6gd.xlarge", ("c7g.large", "m6gd.xlarge")),
        ("batch_schedule", "cron(0 3 * * ? *)", "cron(0 3 * * ? *)"),
        ("batch_monthly_budget", "5", 5),
        ("batch_image", "public.ecr.aws/a/b@sha256:" + "0" * 64, "public.ecr.aws/a/b@sha256:" + "0" * 64),
    ],
)
def test_the_context_changes_a_setting(name: str, text: str, value: Any) -> None:
    needed = NEEDED_SETTINGS.get(name, {}) if text else {}
    assert getattr(from_context({**needed, name: text}), name) == value


def test_the_cases_of_the_test_above_include_every_setting() -> None:
    (cases,) = [mark.args[1] for mark in test_the_context_changes_a_setting.pytestmark]
    assert {name for name, *_ in cases} == set(CONTEXT_SETTINGS)


@pytest.mark.parametrize(
    ("context", "problem"),
    [
        ({"profile": "prod"}, "'prod' is not supported. Use one of: sandbox, production."),
        ({"profil": "production"}, "no such setting. Did you mean 'profile'?"),
        ({"cron_url": "https://a/"}, "no such setting. Did you mean 'cron_urls'?"),
        ({"retain_data": "true"}, "set it in config.py. -c can change: profile, prefix,"),
        ({"prefix": "Über"}, "'Über' is not valid. Use 1 to 20 characters of a-z, 0-9 and '-'."),
        ({"prefix": "laws"}, "It cannot contain aws, amazon or cognito"),
        ({"prefix": "x" * 21}, "is not valid. Use 1 to 20 characters of"),
        ({"alarm_email": "me"}, "'me' is not valid. Use an address like name@example.com."),
        ({"alarm_email": "me@here"}, "'me@here' is not valid."),
        ({"organization_rules": "true"}, "also set alarm_email, because the rules require an action of each alarm."),
        ({"api_callback_urls": "http://notes.example.com/"}, "is not valid. Use https://…, or http://localhost:…"),
        ({"api_callback_urls": "https://notes.example.com/#x"}, "is not valid. Use https://…"),
        ({"api_callback_urls": ""}, "name at least one address"),
        ({"api_allowed_origin": "notes.example.com"}, "is not valid. Use '*' or an origin like https://"),
        ({"api_domain_name": "api.example.com"}, "also set api_certificate_arn, because API Gateway uses only HTTPS."),
        ({"api_certificate_arn": CERTIFICATE}, "also set api_domain_name, because only a domain of your own uses it."),
        ({"api_base_path": "shop"}, "also set api_domain_name, because only a domain of your own uses it."),
        ({"api_certificate_arn": "mine"}, "'mine' is not valid. Use arn:aws:acm:<region>:<account>:certificate/<id>."),
        *(
            ({"api_domain_name": name}, f"{name!r} is not valid. Use a name in small letters, like api.example.com.")
            for name in ("localhost", "API.example.com", "https://api.example.com", "api.example.com/shop", "192.0.2.1")
        ),
        *(
            ({"api_base_path": path, **API_DOMAIN}, "is not valid. Use a name like shop: letters, digits and")
            for path in ("/shop", "shop/", "a/b", "..", "(none)", "a b", "café")
        ),
        ({"thumbnail_max_edge": "15"}, "15 is out of range. Use 16 to 2048."),
        ({"thumbnail_max_edge": "2049"}, "2049 is out of range. Use 16 to 2048."),
        ({"thumbnail_max_edge": "big"}, "'big' is not a whole number."),
        ({"thumbnail_concurrency": "0"}, "0 is out of range. Use 1 or more."),
        ({"architecture": "arm"}, "'arm' is not supported. Use one of: arm64, x86_64."),
        ({"function_image_name": "mine"}, "'mine' is not valid. Use repository:tag or repository@sha256:… of ECR"),
        ({"function_image_name": "host:5000/mine:v1"}, "is not valid. Use repository:tag"),
        ({"web_image": "web"}, "'web' is not valid. Use repository:tag or repository@sha256:…"),
        ({"web_image": "Web:v 1"}, "'Web:v 1' is not valid."),
        ({"web_certificate_arn": "mine"}, "'mine' is not valid. Use arn:aws:acm:<region>:<account>:certificate/<id>."),
        ({"publish_web_image": "no"}, "'no' is not supported. Use one of: true, false."),
        ({"watch_closely": "yes"}, "'yes' is not supported. Use one of: true, false."),
        ({"cron_allow_private": "yes"}, "'yes' is not supported. Use one of: true, false."),
        ({"lightsail_disk": "8"}, "'8' is not supported. Use one of: true, false."),
        # URLs of the cron example
        ({"cron_urls": ""}, "0 URLs are too many or too few. Use 1 to 50."),
        ({"cron_urls": "https://a.example/,"}, "'' is not a URL."),
        ({"cron_urls": TOO_MANY_URLS}, "51 URLs are too many or too few. Use 1 to 50."),
        ({"cron_urls": "https://a/,https://a/"}, "'https://a/' is listed twice."),
        ({"cron_urls": "example.com"}, "'example.com' is not supported. Begin with http:// or https:// and a host"),
        ({"cron_urls": "ftp://example.com/"}, "Begin with http:// or https:// and a host name."),
        ({"cron_urls": "https:///path"}, "Begin with http:// or https:// and a host name."),
        ({"cron_urls": "https://me:secret@example.com/"}, "contains a user name or a password."),
        ({"cron_urls": "https://example.com:99999/"}, "is not a URL: Port out of range 0-65535."),
        ({"cron_urls": "https://[::1/"}, "is not a URL: Invalid IPv6 URL."),
        ({"cron_urls": "https://exämple.com/"}, "Use up to 255 printable ASCII characters, without spaces."),
        ({"cron_urls": "https://a/, https://b/"}, "Use up to 255 printable ASCII characters, without spaces."),
        ({"cron_urls": "https://a/" + "x" * 246}, "Use up to 255 printable ASCII characters, without spaces."),
        ({"cron_urls": "http://127.0.0.1:80/"}, "is a private address. Set cron_allow_private to allow it."),
        ({"cron_urls": "http://[::ffff:10.0.0.1]/"}, "is a private address."),
        # schedules of the cron example
        ({"cron_schedule": "hourly"}, "'hourly' is not valid. Use rate(1 hour), rate(15 minutes) or cron(...)."),
        ({"cron_schedule": "rate(1 hours)"}, "'rate(1 hours)' is not valid."),
        ({"cron_schedule": "rate(5 minute)"}, "'rate(5 minute)' is not valid."),
        ({"cron_schedule": "rate(0 hours)"}, "'rate(0 hours)' is not valid."),
        ({"cron_schedule": "rate(30 seconds)"}, "'rate(30 seconds)' is not valid."),
        ({"cron_schedule": "rate(4 days)"}, "5760 minutes between two runs are out of range. Use 1 to 5040"),
        ({**CRON_SCHEDULE, "cron_schedule": "cron(0 * * * *)"}, "'cron(0 * * * *)' is not valid. Use six fields"),
        (
            {**CRON_SCHEDULE, "cron_schedule": "cron(0 9 * * * *)"},
            "Use ? for the day of the month or the day of the week.",
        ),
        (
            {**CRON_SCHEDULE, "cron_schedule": "cron(0 9 ? * ? *)"},
            "Use ? for the day of the month or the day of the week.",
        ),
        (
            {"cron_longest_gap": "0", "cron_schedule": "cron(0 * * * ? *)"},
            "0 minutes between two runs are out of range.",
        ),
        ({"cron_longest_gap": "-1", "cron_schedule": "cron(0 * * * ? *)"}, "-1 minutes between two runs"),
        ({"cron_longest_gap": "9999", "cron_schedule": "cron(0 * * * ? *)"}, "9999 minutes between two runs"),
        ({"cron_longest_gap": "60"}, "remove it, because rate(1 hour) contains this time."),
        ({"cron_time_zone": "Europe/Vienna"}, "remove it, because only cron(...) has a time zone: rate(1 hour)."),
        ({"cron_time_zone": "Mars/Olympus"}, "'Mars/Olympus' does not exist. Use a name like Europe/Vienna."),
        ({"cron_time_zone": "../etc/passwd"}, "'../etc/passwd' does not exist."),
        ({"cron_time_zone": ""}, "'' does not exist."),
        # settings of the lightsail example
        ({"lightsail_blueprint": "ubuntu_16_04"}, "is not supported. Use one of: ubuntu_24_04, wordpress."),
        (
            {"lightsail_bundle": "nano_1_0"},
            "'nano_1_0' is not valid. Use nano_3_0, micro_3_0, small_3_0, or with your region's digit",
        ),
        (
            {"lightsail_bundle": "nano_3_1", "lightsail_blueprint": "wordpress"},
            "WordPress needs more memory than the 512 MB of nano. Use micro.",
        ),
        ({"lightsail_ssh_cidr": "0.0.0.0/0"}, "0.0.0.0/0 lets everybody try to log in."),
        ({"lightsail_ssh_cidr": "::/0"}, "::/0 lets everybody try to log in."),
        ({"lightsail_ssh_cidr": "128.0.0.0/1"}, "lets too many people try to log in. Use your own address"),
        ({"lightsail_ssh_cidr": "2000::/3"}, "or a network with a prefix of /32 or longer."),
        ({"lightsail_ssh_cidr": "192.0.2.44/24"}, "192.0.2.44/24 has host bits set."),
        ({"lightsail_ssh_cidr": "home"}, "'home' does not appear to be an IPv4 or IPv6 network. One address is"),
        ({"lightsail_database": "true"}, "'true' is not valid. Use an engine like postgres_16"),
        # the zones of a VPC
        ({"availability_zones": "eu-west-1a"}, "eu-west-1a is not valid. Use 2 zones of one region."),
        ({"availability_zones": "eu-west-1a,eu-west-1a"}, "Use 2 zones of one region."),
        ({"availability_zones": "eu-west-1a,eu-west-1b,eu-west-1c"}, "Use 2 zones of one region."),
        ({"availability_zones": "eu-west-1a,eu-west-2b"}, "Use 2 zones of one region."),
        ({"availability_zones": "euw1-az1,euw1-az2"}, "'euw1-az1' is not valid. Use names like eu-west-1a,eu-west-1b."),
        # an existing VPC
        ({"vpc": "vpc-1"}, "'vpc-1' is not valid. Use vpc-<id>/<zone>:subnet-<id>,<zone>:subnet-<id>."),
        (
            {"vpc": "vpc-0aaaaaaa/eu-west-1a:subnet-0aaaaaaa,eu-west-1a:subnet-0bbbbbbb"},
            "Use two zones, in the same order",
        ),
        ({"vpc": f"{VPC}/eu-west-1b:subnet-0ccccccc,eu-west-1a:subnet-0ddddddd"}, "Use two zones, in the same order"),
        ({"vpc": VPC, "availability_zones": "eu-west-1a,eu-west-1b"}, "remove availability_zones, because"),
        # settings of the batch example
        ({"batch_instance_types": "large"}, "'large' is not valid. Use types like m7i-flex.large."),
        (
            {"batch_instance_types": "c7g.large,m7i-flex.large"},
            "m7i-flex.large is a type for x86_64. Also set architecture=x86_64.",
        ),
        ({"batch_instance_types": "t4g.small"}, "t4g.small has too little memory. Use large, or a larger size."),
        ({"batch_max_vcpus": "3"}, "3 is out of range. Use 4 to 10000."),
        ({"batch_max_vcpus": "10001"}, "10001 is out of range."),
        ({"batch_schedule": "every night"}, "'every night' is not valid. Use rate(1 hour)"),
        ({"batch_schedule": "cron(0 3 * * * *)"}, "Use ? for the day of the month or the day of the week."),
        ({"batch_monthly_budget": "0"}, "0 is out of range. Use 1 or more."),
        ({"batch_monthly_budget": "5"}, "also set alarm_email, which is the address for the budget's mails."),
        ({"batch_image": "an image"}, "'an image' is not valid. Use registry/repository:tag."),
    ],
    ids=str,
)
def test_a_bad_setting_gets_an_error_of_one_line(context: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        from_context(context)
    message = str(error.value)
    assert message.startswith(f"{next(iter(context))}: ")
    assert problem in message
    assert "\n" not in message


def test_a_cron_expression_needs_the_setting_cron_longest_gap() -> None:
    with pytest.raises(ConfigError, match=r"cron_longest_gap: set the longest time between two runs"):
        from_context({"cron_schedule": "cron(0 * * * ? *)"})


@pytest.mark.slow
def test_app_py_prints_one_line_for_a_bad_setting_and_no_traceback() -> None:
    # The Node of the virtual environment is first, as in the Makefile. An older Node makes jsii print warnings.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        [sys.executable, str(ROOT / "app.py")],
        env={"PATH": path, "HOME": os.environ["HOME"], "CDK_CONTEXT_JSON": '{"profile": "prod"}'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr == "error: profile: 'prod' is not supported. Use one of: sandbox, production.\n"


def test_any_time_zone_is_accepted_if_this_machine_has_no_list_of_time_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_checks, "_known_time_zones", set)
    assert from_context({**CRON_SCHEDULE, "cron_time_zone": "Mars/Olympus"}).cron_time_zone == "Mars/Olympus"


def test_thumbnail_settings_change_the_function() -> None:
    template = template_with("thumbnail", thumbnail_max_edge="128", thumbnail_concurrency="50")
    functions = [function["Properties"] for function in resources(template, "AWS::Lambda::Function").values()]
    (function,) = [function for function in functions if "Environment" in function]
    assert function["Environment"]["Variables"]["MAX_EDGE"] == "128"
    assert function["ReservedConcurrentExecutions"] == 50


@pytest.mark.parametrize("profile", ["sandbox", "production"])
def test_fargate_tasks_have_a_public_address_only_in_the_public_subnets_of_an_existing_vpc(profile: str) -> None:
    for vpc, has_private_subnets in ((VPC, False), (f"{VPC}/{PRIVATE_SUBNETS}", True)):
        template = template_with("fargate", profile=profile, vpc=vpc)
        assert resources(template, "AWS::EC2::VPC") == {}
        network = properties_of(template, "AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
        public_subnets = ["subnet-0aaaaaaa", "subnet-0bbbbbbb"]
        assert network["Subnets"] == (["subnet-0ccccccc", "subnet-0ddddddd"] if has_private_subnets else public_subnets)
        assert network["AssignPublicIp"] == ("DISABLED" if has_private_subnets else "ENABLED")
        assert properties_of(template, "AWS::ElasticLoadBalancingV2::LoadBalancer")["Subnets"] == public_subnets


def test_alarms_send_mail_to_the_configured_address() -> None:
    template = template_with("thumbnail", alarm_email="me@example.com")
    (topic,) = resources(template, "AWS::SNS::Topic")
    assert properties_of(template, "AWS::SNS::Subscription")["Endpoint"] == "me@example.com"
    for alarm in resources(template, "AWS::CloudWatch::Alarm").values():
        assert alarm["Properties"]["AlarmActions"] == alarm["Properties"]["OKActions"] == [{"Ref": topic}]
    policy = properties_of(template, "AWS::SNS::TopicPolicy")["PolicyDocument"]
    statements = {statement["Effect"]: statement for statement in policy["Statement"]}
    assert statements["Deny"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statements["Allow"]["Action"] == "sns:Publish"
    assert statements["Allow"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statements["Allow"]["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
