"""These tests check the app as a whole, and properties of every stack that are not in its template."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from app import build_app
from config import PROFILES
from settings_checks import ConfigError
from tests.support.apps import EVERY_STACK, PREFIX, STACKS, assembly, example_assembly, stack_name, templates
from tests.support.folders import ROOT
from tools.templates import NO_BUNDLING, Template, synthesize, templates_in


def test_cdk_json_has_no_key_for_which_the_cli_shows_a_warning() -> None:
    keys = json.loads((ROOT / "cdk.json").read_text())["context"]
    assert [key for key in keys if key.startswith("aws:")] == [], "move these keys from cdk.json to stacks/_app.py"


@pytest.mark.parametrize("profile", PROFILES)
def test_the_app_contains_every_stack(profile: str) -> None:
    assert sorted(templates(profile)) == sorted(STACKS)


@pytest.mark.slow
@pytest.mark.parametrize("stem", STACKS)
def test_a_template_is_the_same_if_the_app_has_only_this_stack(stem: str) -> None:
    assert templates_in(example_assembly(stem))[stem] == templates("sandbox")[stem]


@pytest.mark.slow
def test_an_app_with_some_stacks_writes_the_same_templates(tmp_path: Path) -> None:
    synthesize(tmp_path, stacks=f"{stack_name('cron')},*-ecs-*")
    names = [f"{stack_name(stem)}.template.json" for stem in ("cron", "ecs_ec2")]
    assert sorted(file.name for file in tmp_path.glob("*.template.json")) == names
    for name in names:
        assert (tmp_path / name).read_bytes() == (assembly("sandbox") / name).read_bytes()


@pytest.mark.slow
def test_the_cli_selects_the_stacks_if_only_the_cli_knows_the_pattern() -> None:
    app = build_app({"stacks": f"{PREFIX}-{{cron,api}}"})
    assert {stack.node.id for stack in app.node.children if isinstance(stack, cdk.Stack)} == set(
        map(stack_name, STACKS)
    )


def test_a_name_that_no_stack_has_is_an_error() -> None:
    with pytest.raises(
        ConfigError, match=rf"stacks: no stack is called 'crom'\. The stacks are: .*{stack_name('cron')}"
    ):
        build_app({"stacks": f"{stack_name('cron')},crom"})


@pytest.mark.slow  # `make test-fast` synthesizes without validation
@pytest.mark.parametrize("profile", PROFILES)
def test_validation_and_cdk_nag_find_nothing(profile: str) -> None:
    # An error stops the synthesis. The report also contains warnings.
    report = json.loads((assembly(profile) / "validation-report.json").read_text())
    assert [violation for plugin in report["pluginReports"] for violation in plugin["violations"]] == []


def _add_unknown_property(stack: IConstruct) -> None:
    cast("cdk.CfnResource", stack.node.find_child("Uploads").node.default_child).add_property_override("Nonsense", "x")


def _add_queue_without_tls(stack: IConstruct) -> None:
    sqs.Queue(cast("Construct", stack), "Plain")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make_mistake", "plugin"),
    [(_add_unknown_property, "CloudFormation Validate"), (_add_queue_without_tls, "AwsSolutions")],
)
def test_validation_and_cdk_nag_stop_the_synthesis_of_a_bad_template(
    tmp_path: Path, make_mistake: Callable[[IConstruct], None], plugin: str
) -> None:
    app = build_app(NO_BUNDLING, outdir=str(tmp_path))
    make_mistake(app.node.find_child(stack_name("thumbnail")))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text())
    assert [one["pluginName"] for one in report["pluginReports"]] == [plugin]


@pytest.mark.parametrize(("profile", "stem"), EVERY_STACK)
def test_a_stack_has_tags_and_protection_but_no_dependencies(profile: str, stem: str) -> None:
    """The template does not contain the tags, protection and dependencies of the stack. The cloud assembly does."""
    expected = {"project": "aws-compute-examples", "example": stem, "profile": profile}
    manifest = json.loads((assembly(profile) / "manifest.json").read_text())
    stack = manifest["artifacts"][stack_name(stem)]
    assert stack["properties"]["tags"] == expected
    assert stack["properties"].get("terminationProtection", False) is PROFILES[profile]().retain_data
    assert set(stack["dependencies"]) <= {f"{stack_name(stem)}.assets"}
    assert [{"Key": key, "Value": value} for key, value in sorted(expected.items())] in _tags(templates(profile)[stem])


def _tags(template: Template) -> list[Any]:
    return [resource.get("Properties", {}).get("Tags") for resource in template["Resources"].values()]
