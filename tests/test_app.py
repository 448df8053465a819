"""What holds for the app as a whole, and for every stack in it, whatever it deploys."""

import hashlib
import json
import os
import shutil
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
from stacks import _bundling
from tests.apps import (
    EVERY_STACK,
    NO_BUNDLING,
    ROOT,
    Template,
    assembly,
    resources,
    stack_name,
    template_with,
    templates,
)

every_stack = pytest.mark.parametrize(("profile", "stem"), EVERY_STACK)
SOURCES = ("app.py", "config.py", "cdk.json", "stacks", "lambda_src", "containers")


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
        ({"retain_data": "true"}, "retain_data: set it in config.py; -c takes profile, prefix,"),
    ],
)
def test_a_bad_setting_is_a_line_that_names_what_is_allowed(context: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        from_context(context)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_bad_setting_on_the_command_line_is_one_line_and_no_traceback() -> None:
    run = _app(ROOT, CDK_CONTEXT_JSON=json.dumps({"profile": "prod"}))
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


# -- the same bytes everywhere


def test_the_same_bytes_for_every_user_folder_and_machine(tmp_path: Path) -> None:
    """Two copies of the sources: other folder, user, home, locale, time zone, umask, hash seed, and stale caches."""
    here, there = _copy(tmp_path / "here"), _copy(tmp_path / "somewhere else" / "ünïcode")
    cached = there / "lambda_src" / "thumbnail" / "__pycache__"
    cached.mkdir()
    (cached / "handler.cpython-39.pyc").write_bytes(b"stale")
    (there / "lambda_src" / "thumbnail" / "handler.py").touch()

    first = _app(here)
    second = _app(
        there,
        cwd=tmp_path,
        umask=0o077,
        USER="somebody",
        LOGNAME="somebody",
        TZ="Asia/Kathmandu",
        LANG="C",
        LC_ALL="C",
        PYTHONHASHSEED="7",
        PYTHONDONTWRITEBYTECODE="1",
        AWS_PROFILE="none",
        CDK_DEFAULT_ACCOUNT="123456789012",
        CDK_DEFAULT_REGION="eu-west-1",
    )
    assert _digests(here / "cdk.out") == _digests(there / "cdk.out")
    assert first.returncode == second.returncode == 0
    everything = "".join(path.read_text() for path in sorted((there / "cdk.out").glob("*.json")))
    assert str(tmp_path) not in everything
    assert "123456789012" not in everything
    (bundle,) = (path.parent for path in (there / "cdk.out").glob("asset.*/thumbnail"))
    assert {path.stat().st_mode & 0o777 for path in bundle.rglob("*") if path.is_file()} == {0o644}, "or Lambda"
    assert {path.stat().st_mode & 0o777 for path in bundle.rglob("*") if path.is_dir()} == {0o755}, "cannot read it"


@pytest.mark.parametrize(
    "edited", ["lambda_src/thumbnail/handler.py", "lambda_src/thumbnail/requirements.txt", "stacks/_bundling.py"]
)
def test_an_edit_of_what_is_bundled_is_deployed(edited: str) -> None:
    """A function is deployed anew when its asset's name changes."""
    assert _bundle_name() == _bundle_name()
    source = ROOT / edited
    assert _bundle_name(edited=source) != _bundle_name()


def _bundle_name(edited: Path | None = None) -> str:
    read = Path.read_bytes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda path: read(path) + (b"# edited" if path == edited else b""))
        return _bundling.digest_of(ROOT / "lambda_src" / "thumbnail")


# -- every stack


@pytest.mark.parametrize("profile", PROFILES)
def test_the_strict_validation_and_cdk_nag_find_nothing(profile: str) -> None:
    # Synthesizing would have failed on an error; a warning would stand in the report.
    report = json.loads((assembly(profile) / "validation-report.json").read_text())
    assert [violation for plugin in report["pluginReports"] for violation in plugin["violations"]] == []


def _misspell(stack: IConstruct) -> None:
    cast("cdk.CfnResource", stack.node.find_child("Uploads").node.default_child).add_property_override("Nonsense", "x")


def _allow_plain_http(stack: IConstruct) -> None:
    sqs.Queue(cast("Construct", stack), "Plain")


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


@pytest.mark.parametrize("profile", PROFILES)
def test_cfn_lint_finds_nothing(profile: str) -> None:
    found = [str(template) for template in sorted(assembly(profile).glob("*.template.json"))]
    # W3005 tells of a DependsOn that a reference implies already; CDK writes those, and they do no harm.
    options = ("--ignore-checks", "W3005", "--regions", "us-east-1", "eu-west-1", "ap-southeast-2", "--", *found)
    run = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), *options], capture_output=True, text=True, check=False
    )
    assert run.stdout == ""
    assert run.returncode == 0, run.stderr


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


def _app(
    folder: Path, *, cwd: Path | None = None, umask: int = 0o022, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`python app.py` of the checkout in `folder`."""
    return subprocess.run(
        [sys.executable, str(folder / "app.py")],
        cwd=cwd or folder,
        umask=umask,
        env=_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
    )


def _copy(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for source in SOURCES:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, folder / source)
    # What pip had installed for the bundles, so that the tests need no network.
    shutil.copytree(ROOT / ".build" / "bundles", folder / ".build" / "bundles")
    return folder


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
