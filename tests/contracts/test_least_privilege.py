"""Translation of recorded permissions into the names of the templates, and the reasons for unused ones."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.contracts.least_privilege import Grant, compare, example, faults, grants, services_of
from tests.contracts.unused_permissions import REASONS, Reason, stale
from tests.support.apps import EVERY_STACK, template_with, templates
from tests.support.permissions import USED_FILE, Stack, differences, missing_permissions, used_permissions, write_used
from tools.templates import Template

READ = Grant("Role", "s3:GetObject", "${Uploads}/*")


def never(_grant: Grant) -> bool:
    return False


def always(_grant: Grant) -> bool:
    return True


# -- reasons


@pytest.fixture(scope="module")
def granted() -> list[tuple[str, str, str, str]]:
    """Return example, service, action and resource of all grants, in both profiles and with batch's schedule."""
    all_templates = [(stem, templates(profile)[stem]) for profile, stem in EVERY_STACK]
    return [
        (stem, services_of(template)[grant.role], grant.action, grant.resource)
        for stem, template in [*all_templates, ("batch", scheduled_batch())]
        for grant in grants(template)
    ]


def scheduled_batch() -> Template:
    return template_with("batch", batch_schedule="rate(1 day)")


def test_the_role_of_batchs_schedule_has_least_privilege() -> None:
    assert faults(scheduled_batch()) == []


def test_every_reason_is_for_an_existing_grant(granted: list[tuple[str, str, str, str]]) -> None:
    assert list(stale(REASONS, granted)) == []


def test_a_reason_without_a_grant_is_reported(granted: list[tuple[str, str, str, str]]) -> None:
    scan = Reason(service="lambda", actions=("dynamodb:Scan",), why="reports")
    assert list(stale([*REASONS, scan], granted)) == [
        "no role of lambda is granted dynamodb:Scan: remove it from unused_permissions.py"
    ]


def test_a_reason_for_a_used_permission_is_reported() -> None:
    assert list(compare({READ}, {READ}, never)) == []
    (fault,) = compare({READ}, {READ}, always)
    assert "the reason in unused_permissions.py is no longer true" in fault


def test_an_unused_grant_needs_a_reason() -> None:
    (fault,) = compare({READ}, set(), never)
    assert fault.startswith("Role is granted s3:GetObject on ${Uploads}/*, does not use it, and has no reason")
    assert list(compare({READ}, set(), always)) == []


def test_a_used_permission_needs_a_grant_of_the_same_role_and_resource() -> None:
    for other in (Grant("Role", "s3:GetObject", "*"), Grant("Another", READ.action, READ.resource)):
        assert [fault for fault in compare({other}, {READ}, always) if "without a grant" in fault]


def test_a_grant_with_a_wildcard_always_needs_a_reason() -> None:
    wide = Grant("Role", "s3:Get*", READ.resource)
    (fault,) = compare({wide}, {READ}, never)
    assert "narrow the grant" in fault
    assert list(compare({wide}, {READ}, always)) == []


@pytest.mark.parametrize(("profile", "stem"), EVERY_STACK)
def test_the_tags_of_a_template_name_its_example(profile: str, stem: str) -> None:
    assert example(templates(profile)[stem]) == stem


def test_the_file_lists_only_existing_roles() -> None:
    listed = {(stem, role) for stem, roles in json.loads(USED_FILE.read_text()).items() for role in roles}
    assert listed <= {(stem, role) for profile, stem in EVERY_STACK for role in services_of(templates(profile)[stem])}


# -- used permissions


RESOURCES = {
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
        for logical, (kind, physical) in RESOURCES.items()
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
        (
            "arn:aws:ecr:us-east-1:000000000000:repository/cdk",
            "arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:repository/cdk",
        ),
        ("*", "*"),
    ],
)
def test_resources_get_the_names_of_the_template(stack: Stack, granted: str, name: str) -> None:
    assert stack.template_name(granted) == name


def record(folder: Path, *lines: tuple[str, str, str, bool]) -> Path:
    file = folder / "permissions.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return file


def test_used_permissions_are_listed_by_example_and_role(stack: Stack, tmp_path: Path) -> None:
    file = record(
        tmp_path,
        ("mine-role-2b", "s3:GetObject", "arn:aws:s3:::mine-uploads-1a/*", True),
        ("the CDK CLI's", "s3:PutObject", "*", True),
    )
    assert used_permissions(file, [stack]) == {"ecs_ec2": {"Role": {"s3:GetObject": ["${Uploads}/*"]}}}


def test_a_refused_permission_is_missing_and_not_used(stack: Stack, tmp_path: Path) -> None:
    file = record(
        tmp_path,
        ("mine-role-2b", "s3:PutObject", "arn:aws:s3:::mine-uploads-1a/a", False),
        ("mine-role-2b", "s3:GetObject", "arn:aws:s3:::mine-uploads-1a/a", True),
    )
    assert missing_permissions(file, [stack]) == ["ecs_ec2: Role lacks s3:PutObject on arn:aws:s3:::mine-uploads-1a/a"]
    assert used_permissions(file, [stack]) == {"ecs_ec2": {"Role": {"s3:GetObject": ["${Uploads}/a"]}}}


def test_new_and_no_longer_used_permissions_are_reported(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "used_permissions.json"
    file.write_text('{"ecs_ec2": {"Role": {"s3:GetObject": ["${Uploads}/*"]}, "NotHere": {"ecr:PutImage": ["*"]}}}')
    found = {"ecs_ec2": {"Role": {"s3:PutObject": ["${Uploads}/*"]}}}
    (new,) = differences(found, [stack], file, complete=False)
    assert new.startswith("new: ecs_ec2 Role s3:PutObject ${Uploads}/*.")
    _, unused = differences(found, [stack], file, complete=True)
    assert unused.startswith("no longer used: ecs_ec2 Role s3:GetObject ${Uploads}/*.")

    write_used(found, [stack], file)
    assert differences(found, [stack], file, complete=True) == []
    assert json.loads(file.read_text())["ecs_ec2"]["NotHere"] == {"ecr:PutImage": ["*"]}
