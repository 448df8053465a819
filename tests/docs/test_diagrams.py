"""The lessons' pictures are those of the templates, and what is drawn follows from them."""

import copy
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config import PROFILES
from tests.support.apps import EVERY_STACK, assembly, stack_name, templates
from tests.support.folders import ROOT
from tools.architecture import architecture
from tools.diagrams import BEGIN, BLOCK, BY_HAND, picture, pictures, renew, renewed
from tools.templates import Template, resources

every_lesson = pytest.mark.parametrize("stem", templates("sandbox"))
MOST_NODES = 15
Change = Callable[[Template], Any]


def lesson(stem: str) -> str:
    return (ROOT / "docs" / f"{stem}.md").read_text()


def by_hand(stem: str) -> str:
    block = re.search(rf"    {BY_HAND}\n(.*?)```", lesson(stem), re.DOTALL)
    return block[1] if block else ""


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return pictures(assembly("sandbox"))


@every_lesson
def test_the_picture_is_current(stem: str, drawn: dict[str, str]) -> None:
    found = BLOCK.search(lesson(stem))
    assert found, f"docs/{stem}.md has no place for a picture: a mermaid block with the line {BEGIN!r}"
    assert found[0] == drawn[stem], "the template has changed: make docs"


@every_lesson
def test_what_is_added_by_hand_names_nodes_that_there_are(stem: str, drawn: dict[str, str]) -> None:
    lines = by_hand(stem)
    made = set(re.findall(r"^ +(?:subgraph )?(\w+)(?: ?[\[({])", drawn[stem] + lines, re.MULTILINE))
    made |= set(re.findall(r"> (\w+)[\[({]", lines))
    for line in lines.splitlines():
        ends = re.fullmatch(r" {4}(\w+)\S* ?.*?> (\w+)(?:[\[({].*)?", line)
        assert ends, line
        assert set(ends.groups()) <= made, line


@pytest.mark.parametrize("profile", PROFILES)
def test_every_line_is_mermaid_and_every_node_has_a_name_of_its_own(profile: str) -> None:
    text = r'"[^"`#;]+"'
    node = rf"(\w+)(?:\[{text}\]|\(\[{text}\]\)|\[\({text}\)\]|\[\[{text}\]\]|\{{\{{{text}\}}\}})"
    arrow = r"\w+ (?:-- [\w, ]+ -->|-\. [\w, ]+ \.->|-->|-\.->) \w+"
    for made in pictures(assembly(profile)).values():
        _, _, *lines = made.splitlines()
        rest = [line for line in lines if not re.fullmatch(rf" +(?:{node}|{arrow}|subgraph \w+ \[{text}\]|end)", line)]
        assert rest == []
        names = re.findall(rf"^ +{node}$", made, re.MULTILINE)
        assert len(names) == len(set(names)) > 0


@pytest.mark.parametrize("profile", PROFILES)
def test_a_picture_can_be_taken_in_at_a_glance(profile: str) -> None:
    for stem, template in templates(profile).items():
        assert 0 < len(architecture(template).nodes) <= MOST_NODES, stem


@pytest.mark.parametrize(("profile", "stem"), EVERY_STACK)
def test_every_store_and_whatever_runs_is_drawn(profile: str, stem: str) -> None:
    template = templates(profile)[stem]
    kinds = (
        r".*(S3::Bucket|::Table|SQS::Queue|Repository|ECS::Service|JobQueue|JobDefinition|AutoScalingGroup|Instance)"
    )
    wanted = {name for name, found in template["Resources"].items() if re.fullmatch(kinds, found["Type"])}
    assert wanted <= set(architecture(template).nodes)


# -- the template changes, and so does the picture


def spoilt(stem: str, change: Change) -> str:
    template = copy.deepcopy(templates("sandbox")[stem])
    change(template)
    paths = {name: f"{stack_name(stem)}/{name}/Resource" for name in template["Resources"]}
    return picture(template, paths)


def _policies(template: Template) -> list[dict[str, Any]]:
    return [policy["Properties"]["PolicyDocument"] for policy in resources(template, "AWS::IAM::Policy").values()]


def _without(kind: str) -> Change:
    return lambda template: [template["Resources"].pop(name) for name in resources(template, kind)]


def _read_only(template: Template) -> None:
    for policy in _policies(template):
        policy["Statement"] = [one for one in policy["Statement"] if not re.search("Put|Delete", json.dumps(one))]


def _deny(template: Template) -> None:
    for policy in _policies(template):
        for statement in policy["Statement"]:
            statement["Effect"] = "Deny"


def _each(kind: str, **properties: Any) -> Change:
    return lambda template: [found["Properties"].update(properties) for found in resources(template, kind).values()]


def _something_new(template: Template) -> None:
    queue = min(resources(template, "AWS::SQS::Queue"))
    template["Resources"]["Board"] = {"Type": "AWS::NewService::BigThing", "Properties": {"Arn": {"Ref": queue}}}


CHANGES: dict[str, tuple[str, Change, str, bool]] = {
    "a queue goes": ("thumbnail", _without("AWS::SQS::Queue"), "SQS queue", False),
    "a table goes": ("cron", _without("AWS::DynamoDB::Table"), "DynamoDB table", False),
    "the notification goes": ("thumbnail", _without("Custom::S3BucketNotifications"), "-- created, removed", False),
    "the destination goes": ("cron", _without("AWS::Lambda::EventInvokeConfig"), "when it fails", False),
    "the function may only read": ("thumbnail", _read_only, "writes", False),
    "what was granted is denied": ("thumbnail", _deny, "reads", False),
    "the schedule changes": (
        "cron",
        _each("AWS::Scheduler::Schedule", ScheduleExpression="rate(5 minutes)"),
        "rate(5 minutes)",
        True,
    ),
    "the load balancer turns inwards": (
        "fargate",
        _each("AWS::ElasticLoadBalancingV2::LoadBalancer", Scheme="internal"),
        "internet",
        False,
    ),
    "no route leads out": ("batch", _without("AWS::EC2::Route"), "VPC: private subnets", True),
    "nothing is alarmed": ("lightsail", _without("AWS::Lightsail::Alarm"), "watch", False),
    "a type comes that nobody has drawn before": (
        "cron",
        _something_new,
        'Board["Board<br>NewService big thing"]',
        True,
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_the_template_shows(what: str) -> None:
    stem, change, text, comes = CHANGES[what]
    assert (text in spoilt(stem, lambda _: None)) is not comes
    assert (text in spoilt(stem, change)) is comes


# -- make docs


def test_the_pictures_are_drawn_into_the_lessons_and_nothing_else_changes(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    shutil.copytree(ROOT / "docs", docs)
    old = (docs / "cron.md").read_text()
    (docs / "cron.md").write_text(old.replace("Schedule -- invokes --> Function\n", ""))
    renew(assembly("sandbox"), docs)
    assert {file.name: file.read_text() for file in docs.iterdir()} == {
        file.name: file.read_text() for file in (ROOT / "docs").iterdir()
    }


def test_a_lesson_without_a_place_for_the_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="begins with 'flowchart LR'"):
        renewed("# A lesson\n", "flowchart LR\n")
    with pytest.raises(ValueError, match=r"(\w+)\.md: \1 has no lesson"):
        renew(assembly("sandbox"), tmp_path)
