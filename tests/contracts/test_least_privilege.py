"""These tests check how recorded permissions are translated and compared with grants and with reasons.

The local AWS, a program that imitates AWS on this machine, records the permissions that roles use.
"""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.contracts.least_privilege import Grant, compare, faults, grants, services_of
from tests.contracts.unused_permissions import REASONS, Reason, stale_reasons
from tests.support.apps import EVERY_STACK, template_with, templates
from tests.support.permissions import (
    USED_FILE,
    Permission,
    Stack,
    differences,
    missing_permissions,
    read_permissions,
    used_permissions,
    write_used,
)
from tools.templates import Template

READ = Grant("Role", "s3:GetObject", "${Uploads}/*")


# -- reasons


@pytest.fixture(scope="module")
def granted() -> list[tuple[str, str, str, str]]:
    """Return all grants of both profiles, and of batch with a schedule.

    A grant has the short name of an example, a service, an action and a resource.
    """
    all_templates = [(stem, templates(profile)[stem]) for profile, stem in EVERY_STACK]
    return [
        (stem, services_of(template)[grant.role], grant.action, grant.resource)
        for stem, template in [*all_templates, ("batch", scheduled_batch())]
        for grant in grants(template)
    ]


def scheduled_batch() -> Template:
    return template_with("batch", batch_schedule="rate(1 day)")


def test_the_schedule_of_batch_has_a_role_with_only_needed_permissions() -> None:
    assert faults(scheduled_batch()) == []


def test_every_reason_belongs_to_a_grant(granted: list[tuple[str, str, str, str]]) -> None:
    assert list(stale_reasons(REASONS, granted)) == []


def test_a_reason_without_a_grant_is_reported(granted: list[tuple[str, str, str, str]]) -> None:
    reason = Reason(service="lambda", actions=("dynamodb:BatchGetItem",), why="reports")
    assert list(stale_reasons([reason], granted)) == [
        "no role of lambda is granted dynamodb:BatchGetItem: remove it from unused_permissions.py"
    ]


def test_a_reason_for_a_used_permission_is_reported() -> None:
    (fault,) = compare({READ}, {READ}, lambda _grant: True)
    assert "it is no longer true" in fault


def test_a_used_permission_needs_a_grant_for_its_role_and_its_resource() -> None:
    for other in (Grant("Role", "s3:GetObject", "*"), Grant("Another", READ.action, READ.resource)):
        assert [fault for fault in compare({other}, {READ}, lambda _grant: True) if "without a grant" in fault]


def test_the_roles_in_used_permissions_txt_exist() -> None:
    assert {permission[:2] for permission in read_permissions(USED_FILE)} <= {
        (stem, role) for profile, stem in EVERY_STACK for role in services_of(templates(profile)[stem])
    }


# -- used permissions


PHYSICAL_NAMES = {
    "Uploads": ("AWS::S3::Bucket", "mine-uploads-1a"),
    "Logs": ("AWS::Logs::LogGroup", "/aws/mine/Logs"),
    "MoreLogs": ("AWS::Logs::LogGroup", "/aws/mine/Logs2"),
    "Letters": ("AWS::SQS::Queue", "http://127.0.0.1:4566/000000000000/mine-letters"),
    "Queue": ("AWS::Batch::JobQueue", "arn:aws:batch:us-east-1:000000000000:job-queue/mine"),
    "Function": ("AWS::Lambda::Function", "mine-function"),
    "Role": ("AWS::IAM::Role", "mine-role-2b"),
}


@pytest.fixture
def stack() -> Stack:
    resources = [
        {"LogicalResourceId": logical, "ResourceType": kind, "PhysicalResourceId": physical}
        for logical, (kind, physical) in PHYSICAL_NAMES.items()
    ]
    cloudformation: Any = SimpleNamespace(
        describe_stacks=lambda: {"Stacks": [{"StackName": "compute-ecs-ec2"}, {"StackName": "CDKToolkit"}]},
        describe_stack_resources=lambda StackName: {"StackResources": resources},  # noqa: ARG005, N803 - boto3's
    )
    (stack,) = Stack.all(cloudformation)
    return stack


@pytest.mark.parametrize(
    ("granted", "name"),
    [
        ("arn:aws:s3:::mine-uploads-1a", "${Uploads}"),
        ("arn:aws:s3:::mine-uploads-1a/*", "${Uploads}/*"),
        ("arn:aws:s3:::mine-uploads-1abc/*", "arn:${AWS::Partition}:s3:::mine-uploads-1abc/*"),
        ("arn:aws:logs:us-east-1:000000000000:log-group:/aws/mine/Logs:*", "${Logs}"),
        ("arn:aws:logs:us-east-1:000000000000:log-group:/aws/mine/Logs2:*", "${MoreLogs}"),
        ("arn:aws:sqs:us-east-1:000000000000:mine-letters", "${Letters}"),
        ("arn:aws:batch:us-east-1:000000000000:job-queue/mine", "${Queue}"),
        ("arn:aws:lambda:us-east-1:000000000000:function:mine-function:*", "${Function}:*"),
        ("arn:aws:ecr:us-east-1:000000000000:a", "arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:a"),
        ("*", "*"),
    ],
)
def test_an_arn_becomes_a_name_of_the_template(stack: Stack, granted: str, name: str) -> None:
    assert stack.template_name(granted) == name


def test_a_refused_permission_is_missing_and_an_allowed_permission_is_used(stack: Stack, tmp_path: Path) -> None:
    record = tmp_path / "permissions.jsonl"
    lines = [
        ("mine-role-2b", "s3:PutObject", "arn:aws:s3:::mine-uploads-1a/a", False),
        ("mine-role-2b", "s3:GetObject", "arn:aws:s3:::mine-uploads-1a/a", True),
        ("role-of-the-cdk-cli", "s3:PutObject", "*", True),
    ]
    record.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    missing = missing_permissions(record, [stack])
    assert missing == ["ecs_ec2: Role lacks s3:PutObject on arn:aws:s3:::mine-uploads-1a/a"]
    assert used_permissions(record, [stack]) == {("ecs_ec2", "Role", "s3:GetObject", "${Uploads}/a")}


def test_new_permissions_and_unused_permissions_are_reported(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "used_permissions.txt"
    file.write_text("ecs_ec2 Role s3:GetObject ${Uploads}/*\necs_ec2 NotDeployed ecr:PutImage *\n")
    used: set[Permission] = {("ecs_ec2", "Role", "s3:PutObject", "${Uploads}/*")}
    (new,) = differences(used, [stack], file, complete=False)
    assert new.startswith("new: ecs_ec2 Role s3:PutObject ${Uploads}/*.")
    _, unused = differences(used, [stack], file, complete=True)
    assert unused.startswith("no longer used: ecs_ec2 Role s3:GetObject ${Uploads}/*.")

    write_used(used, [stack], file)
    assert differences(used, [stack], file, complete=True) == []
    assert read_permissions(file) == used | {("ecs_ec2", "NotDeployed", "ecr:PutImage", "*")}
