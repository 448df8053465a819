"""What holds for the app as a whole, and for every stack in it, whatever it deploys."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from app import build_app
from config import PROFILES, ConfigError, from_context
from tests.support.apps import EVERY_STACK, STACKS, assembly, stack_name, template_with, templates
from tests.support.folders import ROOT
from tools.templates import NO_BUNDLING, Template, resources

every_stack = pytest.mark.parametrize(("profile", "stem"), EVERY_STACK)


# -- settings


def test_the_sandbox_is_the_default() -> None:
    assert from_context({}) == PROFILES["sandbox"]
    assert from_context({"profile": "production"}) == PROFILES["production"]


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"profile": "prod"}, "profile: 'prod' is not one of: sandbox, production"),
        ({"prefix": "Über"}, "prefix: 'Über' is not 1 to 20 of a-z, 0-9 and '-', beginning with a letter"),
        ({"prefix": "x" * 21}, "is not 1 to 20 of"),
        ({"thumbnail_max_edge": "8"}, "thumbnail_max_edge: 8 is not between 16 and 2048 (pixels)"),
        ({"thumbnail_max_edge": "big"}, "thumbnail_max_edge: 'big' is not a whole number"),
        ({"alarm_email": "me"}, "alarm_email: 'me' is not an e-mail address (name@example.com)"),
        ({"profil": "production"}, "profil: no such setting; did you mean 'profile'?"),
        ({"alarm_email": "me@here"}, "alarm_email: 'me@here' is not an e-mail address"),
        ({"thumbnail_concurrency": "0"}, "thumbnail_concurrency: 0 is not a number above 0"),
        ({"architecture": "arm"}, "architecture: 'arm' is not one of: arm64, x86_64"),
        ({"web_image": "web"}, "web_image: 'web' is not like repository:tag or repository@sha256:…"),
        ({"web_image": "Web:v 1"}, "is not like repository:tag"),
        ({"publish_web_image": "no"}, "publish_web_image: 'no' is not true or false"),
        ({"web_certificate_arn": "mine"}, "web_certificate_arn: 'mine' is not like arn:aws:acm:<region>:<account>:"),
        ({"watch_closely": "yes"}, "watch_closely: 'yes' is not true or false"),
        ({"retain_data": "true"}, "retain_data: set it in config.py; -c takes profile, prefix,"),
    ],
)
def test_a_bad_setting_is_a_line_that_names_what_is_allowed(context: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        from_context(context)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_a_bad_setting_on_the_command_line_is_one_line_and_no_traceback() -> None:
    run = _app(CDK_CONTEXT_JSON=json.dumps({"profile": "prod"}))
    assert run.returncode == 1
    assert run.stderr == "error: profile: 'prod' is not one of: sandbox, production\n"


def test_the_longest_prefix_is_fine() -> None:
    assert from_context({"prefix": "x" * 20}).prefix == "x" * 20


def test_settings_of_others_are_none_of_our_business() -> None:
    assert from_context({"@aws-cdk/core:x": True, "vpc-provider:account=1": {}, "owner": "me"}) == PROFILES["sandbox"]


def test_settings_reach_the_templates() -> None:
    settings = {"thumbnail_max_edge": "128", "thumbnail_concurrency": "50", "alarm_email": "me@example.com"}
    template = template_with("thumbnail", prefix="mine", **settings)
    (function,) = [
        found for found in resources(template, "AWS::Lambda::Function").values() if "Environment" in found["Properties"]
    ]
    assert function["Properties"]["Environment"]["Variables"]["MAX_EDGE"] == "128"
    assert function["Properties"]["ReservedConcurrentExecutions"] == 50
    (topic,) = resources(template, "AWS::SNS::Topic")
    (subscription,) = resources(template, "AWS::SNS::Subscription").values()
    assert subscription["Properties"]["Endpoint"] == "me@example.com"
    for alarm in resources(template, "AWS::CloudWatch::Alarm").values():
        assert alarm["Properties"]["AlarmActions"] == alarm["Properties"]["OKActions"] == [{"Ref": topic}]
    (policy,) = resources(template, "AWS::SNS::TopicPolicy").values()
    statements = {one["Effect"]: one for one in policy["Properties"]["PolicyDocument"]["Statement"]}
    assert statements["Deny"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statements["Allow"]["Action"] == "sns:Publish"
    assert statements["Allow"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statements["Allow"]["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_cli_has_nothing_to_warn_of_in_cdk_json() -> None:
    keys = json.loads((ROOT / "cdk.json").read_text())["context"]
    assert [key for key in keys if key.startswith("aws:")] == [], "keys of the CDK's own are given in app.py"


# -- every stack


def test_the_tests_know_every_stack() -> None:
    assert [(profile, stem) for profile in PROFILES for stem in sorted(templates(profile))] == EVERY_STACK


@pytest.mark.slow
@pytest.mark.parametrize("stem", STACKS)
def test_a_stack_is_the_same_without_the_others(stem: str) -> None:
    assert template_with(stem) == templates("sandbox")[stem]


@pytest.mark.slow  # `make test-fast` synthesizes without the validation
@pytest.mark.parametrize("profile", PROFILES)
def test_the_strict_validation_and_cdk_nag_find_nothing(profile: str) -> None:
    # Synthesizing would have failed on an error; a warning would stand in the report.
    report = json.loads((assembly(profile) / "validation-report.json").read_text())
    assert [violation for plugin in report["pluginReports"] for violation in plugin["violations"]] == []


def _misspell(stack: IConstruct) -> None:
    cast("cdk.CfnResource", stack.node.find_child("Uploads").node.default_child).add_property_override("Nonsense", "x")


def _allow_plain_http(stack: IConstruct) -> None:
    sqs.Queue(cast("Construct", stack), "Plain")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "finder"), [(_misspell, "CloudFormation Validate"), (_allow_plain_http, "AwsSolutions")]
)
def test_the_strict_validation_and_cdk_nag_stop_a_bad_template(
    tmp_path: Path, spoil: Callable[[IConstruct], None], finder: str
) -> None:
    app = build_app(NO_BUNDLING, outdir=str(tmp_path))
    spoil(app.node.find_child("compute-thumbnail"))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text())
    assert [plugin["pluginName"] for plugin in report["pluginReports"]] == [finder]


@every_stack
def test_every_stack_has_its_tags_and_the_protection_of_its_profile(profile: str, stem: str) -> None:
    """What stands in the assembly alone; the rest is in tests/contracts."""
    wanted = {"project": "aws-compute-examples", "example": stem, "profile": profile}
    manifest = json.loads((assembly(profile) / "manifest.json").read_text())
    stack = manifest["artifacts"][stack_name(stem)]
    assert stack["properties"]["tags"] == wanted
    assert stack["properties"].get("terminationProtection", False) is PROFILES[profile].retain_data
    assert [{"Key": key, "Value": value} for key, value in sorted(wanted.items())] in _tags(templates(profile)[stem])
    assert [other for other in stack["dependencies"] if other.startswith("compute-") and not _is_assets(other)] == []


def _tags(template: Template) -> list[Any]:
    return [resource.get("Properties", {}).get("Tags") for resource in template["Resources"].values()]


def _is_assets(artifact: str) -> bool:
    return artifact.endswith(".assets")


# -- the tools of these tests


def _environment(**changes: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "CDK_DISABLE_CLI_TELEMETRY": "true", **changes}


def _app(**environment: str) -> subprocess.CompletedProcess[str]:
    """`python app.py`."""
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py")],
        env=_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
    )
