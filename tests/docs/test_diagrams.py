"""These tests check the diagrams in the lessons. test_generated.py checks that the diagrams are up to date."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from config import PROFILES, from_context
from tests.support.apps import EVERY_STACK, assembly, documented_templates, stack_name, templates
from tests.support.documents import HEADINGS, has_lesson
from tests.support.folders import ROOT
from tools.diagrams.mermaid import diagram, diagrams
from tools.diagrams.model import architecture
from tools.templates import Template, resources

MAX_NODES = 15
Change = Callable[[Template], Any]


@pytest.mark.parametrize("stem", sorted(filter(has_lesson, templates("sandbox"))))
def test_arrows_added_by_hand_connect_nodes_of_the_diagram(stem: str) -> None:
    if stem == "ecr" and not from_context({}).publish_web_image:
        pytest.skip("the diagram has no image, because the setting publish_web_image is False")
    text = (ROOT / "docs" / f"{stem}.md").read_text()
    block = re.search(rf'%% \[\[\[cog diagram\("{stem}"\) \]\]\]\n(.*?)%% \[\[\[end\]\]\]\n(.*?)```', text, re.DOTALL)
    assert block or "What is deployed" not in HEADINGS, f"docs/{stem}.md has no diagram"
    if not block:
        return
    generated, added_lines = block.groups()
    nodes = set(re.findall(r"^ +(?:subgraph )?(\w+)(?: ?[\[({])", generated + added_lines, re.MULTILINE))
    nodes |= set(re.findall(r"> (\w+)[\[({]", added_lines))
    for line in added_lines.splitlines():
        ends = re.fullmatch(r" {4}(\w+)\S* ?.*?> (\w+)(?:[\[({].*)?", line)
        assert ends, line
        assert set(ends.groups()) <= nodes, line


@pytest.mark.parametrize("profile", PROFILES)
def test_every_line_is_valid_mermaid_and_every_node_has_its_own_name(profile: str) -> None:
    text = r'"[^"`#;]+"'
    node = rf"(\w+)(?:\[{text}\]|\(\[{text}\]\)|\[\({text}\)\]|\[\[{text}\]\]|\{{\{{{text}\}}\}})"
    arrow = r"\w+ (?:-- [\w, ]+ -->|-\. [\w, ]+ \.->|-->|-\.->) \w+"
    for diagram_text in diagrams(assembly(profile)).values():
        _, *lines = diagram_text.splitlines()
        invalid_lines = [
            line for line in lines if not re.fullmatch(rf" +(?:{node}|{arrow}|subgraph \w+ \[{text}\]|end)", line)
        ]
        assert invalid_lines == []
        names = re.findall(rf"^ +{node}$", diagram_text, re.MULTILINE)
        assert len(names) == len(set(names)) > 0


@pytest.mark.parametrize(("profile", "stem"), EVERY_STACK)
def test_a_diagram_has_all_stores_and_services_and_at_most_15_nodes(profile: str, stem: str) -> None:
    template = templates(profile)[stem]
    kinds = r".*(S3::Bucket|::Table|SQS::Queue|Repository|ECS::Service|JobQueue|JobDefinition|ScalingGroup|Instance)"
    needed_nodes = {name for name, resource in template["Resources"].items() if re.fullmatch(kinds, resource["Type"])}
    nodes = set(architecture(template).nodes)
    assert needed_nodes <= nodes
    assert 0 < len(nodes) <= MAX_NODES


# -- a change of the template changes the diagram


def diagram_after(change: Change, stem: str) -> str:
    template = copy.deepcopy(documented_templates("sandbox")[stem])
    change(template)
    paths = {name: f"{stack_name(stem)}/{name}/Resource" for name in template["Resources"]}
    return diagram(template, paths)


def _policies(template: Template) -> list[dict[str, Any]]:
    return [policy["Properties"]["PolicyDocument"] for policy in resources(template, "AWS::IAM::Policy").values()]


def _remove(kind: str) -> Change:
    return lambda template: [template["Resources"].pop(name) for name in resources(template, kind)]


def _remove_write_permissions(template: Template) -> None:
    for policy in _policies(template):
        policy["Statement"] = [one for one in policy["Statement"] if not re.search("Put|Delete", json.dumps(one))]


def _deny_all_permissions(template: Template) -> None:
    for policy in _policies(template):
        for statement in policy["Statement"]:
            statement["Effect"] = "Deny"


def _update(kind: str, **properties: Any) -> Change:
    return lambda template: [
        resource["Properties"].update(properties) for resource in resources(template, kind).values()
    ]


def _add_unknown_type(template: Template) -> None:
    queue = min(resources(template, "AWS::SQS::Queue"))
    template["Resources"]["Board"] = {"Type": "AWS::NewService::BigThing", "Properties": {"Arn": {"Ref": queue}}}


SCHEDULE, BALANCER = "AWS::Scheduler::Schedule", "AWS::ElasticLoadBalancingV2::LoadBalancer"
CHANGES: dict[str, tuple[str, Change, str, bool]] = {
    "no queue": ("thumbnail", _remove("AWS::SQS::Queue"), "SQS queue", False),
    "no table": ("cron", _remove("AWS::DynamoDB::Table"), "DynamoDB table", False),
    "no notification": ("thumbnail", _remove("Custom::S3BucketNotifications"), "-- created, removed", False),
    "no failure destination": ("cron", _remove("AWS::Lambda::EventInvokeConfig"), "when it fails", False),
    "no permission to write": ("thumbnail", _remove_write_permissions, "writes", False),
    "denied permissions": ("thumbnail", _deny_all_permissions, "reads", False),
    "another schedule": ("cron", _update(SCHEDULE, ScheduleExpression="rate(5 minutes)"), "rate(5 minutes)", True),
    "an internal load balancer": ("fargate", _update(BALANCER, Scheme="internal"), "internet", False),
    "no route to the internet": ("batch", _remove("AWS::EC2::Route"), "VPC: private subnets", True),
    "no alarms": ("lightsail", _remove("AWS::Lightsail::Alarm"), "watch", False),
    "an unknown resource type": ("cron", _add_unknown_type, 'Board["Board<br>NewService big thing"]', True),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_template_changes_the_diagram(name: str) -> None:
    stem, change, text, appears = CHANGES[name]
    assert (text in diagram_after(lambda _: None, stem)) is not appears
    assert (text in diagram_after(change, stem)) is appears
