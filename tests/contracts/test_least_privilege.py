"""What tests/contracts/least_privilege.py rests on: its reasons are true, and what was used is told in the templates' words."""

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


# -- the reasons


@pytest.fixture(scope="module")
def granted() -> list[tuple[str, str, str, str]]:
    """Example, service, action and resource, in both profiles and with the setting that adds a role."""
    all_templates = [(stem, templates(profile)[stem]) for profile, stem in EVERY_STACK]
    return [
        (stem, services_of(template)[grant.role], grant.action, grant.resource)
        for stem, template in [*all_templates, ("batch", scheduled_batch())]
        for grant in grants(template)
    ]


def scheduled_batch() -> Template:
    return template_with("batch", batch_schedule="rate(1 day)")


def test_a_job_that_a_schedule_submits_needs_no_more() -> None:
    assert faults(scheduled_batch()) == []


def test_every_reason_is_for_something_that_is_granted(granted: list[tuple[str, str, str, str]]) -> None:
    assert list(stale(REASONS, granted)) == []


def test_a_reason_for_what_is_granted_no_more_is_noticed(granted: list[tuple[str, str, str, str]]) -> None:
    scan = Reason(service="lambda", actions=("dynamodb:Scan",), why="reports")
    assert list(stale([*REASONS, scan], granted)) == [
        "no role of lambda is granted dynamodb:Scan: take it out of unused_permissions.py"
    ]


def test_a_reason_for_what_is_used_after_all_is_noticed() -> None:
    assert list(compare({READ}, {READ}, never)) == []
    (fault,) = compare({READ}, {READ}, always)
    assert fault.endswith("and uses it: the reason in unused_permissions.py is no longer true")


def test_what_is_granted_is_used_or_has_a_reason() -> None:
    (fault,) = compare({READ}, set(), never)
    assert fault.startswith("Role is granted s3:GetObject on ${Uploads}/*, and neither uses it nor has a reason")
    assert list(compare({READ}, set(), always)) == []


def test_what_is_used_is_granted_for_that_role_and_resource() -> None:
    for other in (Grant("Role", "s3:GetObject", "*"), Grant("Another", READ.action, READ.resource)):
        assert [fault for fault in compare({other}, {READ}, always) if "which it is not granted" in fault]


def test_a_wildcard_allows_what_is_used_and_needs_a_reason_all_the_same() -> None:
    wide = Grant("Role", "s3:Get*", READ.resource)
    (fault,) = compare({wide}, {READ}, never)
    assert "narrow the grant" in fault
    assert list(compare({wide}, {READ}, always)) == []


@pytest.mark.parametrize(("profile", "stem"), EVERY_STACK)
def test_a_template_tells_whose_it_is(profile: str, stem: str) -> None:
    assert example(templates(profile)[stem]) == stem


def test_no_role_is_told_of_that_is_gone() -> None:
    told = {(stem, role) for stem, roles in json.loads(USED_FILE.read_text()).items() for role in roles}
    assert told <= {(stem, role) for profile, stem in EVERY_STACK for role in services_of(templates(profile)[stem])}


# -- what was used


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
    ("granted", "words"),
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
def test_what_is_granted_is_named_as_the_template_names_it(stack: Stack, granted: str, words: str) -> None:
    assert stack.in_words_of_the_template(granted) == words


def record(folder: Path, *lines: tuple[str, str, str, bool]) -> Path:
    file = folder / "permissions.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return file


def test_the_record_is_told_by_example_and_role(stack: Stack, tmp_path: Path) -> None:
    file = record(
        tmp_path,
        ("mine-role-2b", "s3:GetObject", "arn:aws:s3:::mine-uploads-1a/*", True),
        ("the CDK CLI's", "s3:PutObject", "*", True),
    )
    assert used_permissions(file, [stack]) == {"ecs_ec2": {"Role": {"s3:GetObject": ["${Uploads}/*"]}}}


def test_what_a_role_was_refused_is_not_used_but_lacking(stack: Stack, tmp_path: Path) -> None:
    file = record(
        tmp_path,
        ("mine-role-2b", "s3:PutObject", "arn:aws:s3:::mine-uploads-1a/a", False),
        ("mine-role-2b", "s3:GetObject", "arn:aws:s3:::mine-uploads-1a/a", True),
    )
    assert missing_permissions(file, [stack]) == ["ecs_ec2: Role lacks s3:PutObject on arn:aws:s3:::mine-uploads-1a/a"]
    assert used_permissions(file, [stack]) == {"ecs_ec2": {"Role": {"s3:GetObject": ["${Uploads}/a"]}}}


def test_what_is_new_and_what_is_used_no_more_is_noticed(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "used_permissions.json"
    file.write_text('{"ecs_ec2": {"Role": {"s3:GetObject": ["${Uploads}/*"]}, "NotHere": {"ecr:PutImage": ["*"]}}}')
    found = {"ecs_ec2": {"Role": {"s3:PutObject": ["${Uploads}/*"]}}}
    (new,) = differences(found, [stack], file, complete=False)
    assert new.startswith("new: ecs_ec2 Role s3:PutObject ${Uploads}/*.")
    _, gone = differences(found, [stack], file, complete=True)
    assert gone.startswith("used no more: ecs_ec2 Role s3:GetObject ${Uploads}/*.")

    write_used(found, [stack], file)
    assert differences(found, [stack], file, complete=True) == []
    assert json.loads(file.read_text())["ecs_ec2"]["NotHere"] == {"ecr:PutImage": ["*"]}
