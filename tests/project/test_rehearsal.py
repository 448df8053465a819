"""In these tests, the first deployment of each example fails on purpose. The tests check which resources remain.

docs/failures.md has a table of the results. The tests deploy the templates into the local AWS, a program that imitates
AWS on this machine. There, CloudFormation creates one resource after the other. On AWS it creates many at the same
time, so other resources may exist when one fails.
"""

import copy
import io
import json
import time
import zipfile
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from config import PROFILES
from local.inventory import inventory
from localaws import Engine, LocalAws
from scripts.recover import recover
from tests.contracts.reading import referenced_ids
from tests.support.apps import STACKS, assembly, stack_name, templates
from tests.support.deployment import ClientFactory
from tests.support.folders import ROOT
from tools.templates import Template, resources

pytestmark = pytest.mark.local
FAILING = "Failing"
"""The logical id of the resource that fails."""
ASSETS = "cdk-hnb659fds-assets-000000000000-us-east-1"
"""The bucket of CDK's bootstrap, for the code of functions and for templates."""
IMAGE_ASSETS = "cdk-hnb659fds-container-assets-000000000000-us-east-1"
"""The repository of CDK's bootstrap, for container images."""
IMAGE_MANIFEST = json.dumps({"schemaVersion": 2, "layers": []})
"""The manifest of an image without layers. A function can be created with this image, but it cannot run."""
PLACES = ("in the middle", "at the end")
RESULTS = ROOT / "docs" / "failures.md"
WORDS = {
    "AWS::Cognito::UserPool": "the user pool",
    "AWS::DynamoDB::Table": "the table",
    "AWS::S3::Bucket": "the bucket of the access log",
}
"""The words in the table of results for the resources that remain."""


@pytest.fixture(scope="module")
def account(empty_aws: ClientFactory) -> ClientFactory:
    """Return clients of the local AWS after `cdk bootstrap` and the upload of the functions' code and the images."""
    empty_aws("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    empty_aws("s3").create_bucket(Bucket=ASSETS)
    # CloudFormation cannot create a function if its image does not exist.
    empty_aws("ecr").create_repository(repositoryName=IMAGE_ASSETS)
    for tag in image_tags():
        empty_aws("ecr").put_image(repositoryName=IMAGE_ASSETS, imageTag=tag, imageManifest=IMAGE_MANIFEST)
    for profile in PROFILES:
        for manifest in assembly(profile).glob("*.assets.json"):
            for asset in json.loads(manifest.read_text(encoding="utf-8"))["files"].values():
                if asset["source"]["packaging"] == "zip":
                    (destination,) = asset["destinations"].values()
                    body = zip_of(manifest.parent / asset["source"]["path"])
                    empty_aws("s3").put_object(Bucket=ASSETS, Key=destination["objectKey"], Body=body)
    return empty_aws


def image_tags() -> set[str]:
    """Return the tags of the images that the CDK CLI builds for the examples. Both profiles may have the same image."""
    return {
        destination["imageTag"]
        for profile in PROFILES
        for manifest in assembly(profile).glob("*.assets.json")
        for image in json.loads(manifest.read_text(encoding="utf-8"))["dockerImages"].values()
        for destination in image["destinations"].values()
    }


def zip_of(folder: Path) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for file in sorted(folder.rglob("*")):
            target.write(file, file.relative_to(folder))
    return archive.getvalue()


def deployable(profile: str, stem: str) -> Template:
    """Return the template without resources that need a complete image, because these tests build no image."""
    template = copy.deepcopy(templates(profile)[stem])
    for service in resources(template, "AWS::ECS::Service").values():
        service["Properties"]["DesiredCount"] = 0
    for trigger in resources(template, "Custom::Trigger"):
        del template["Resources"][trigger]
    return template


def add_failing_resource(template: Template, place: str) -> None:
    """Add a resource that fails. CloudFormation creates it after half of the other resources, or after all of them."""
    all_resources = template["Resources"]
    dependencies = {
        name: sorted(
            referenced_ids(resource.get("Properties", {})) & all_resources.keys() | {*resource.get("DependsOn", [])}
        )
        for name, resource in all_resources.items()
    }
    order = list(TopologicalSorter(dependencies).static_order())
    number = len(order) // 2 if place == "in the middle" else len(order)
    for name in order[number:]:
        all_resources[name]["DependsOn"] = [*all_resources[name].get("DependsOn", []), FAILING]
    all_resources[FAILING] = {
        "Type": "AWS::SQS::Queue",
        "DependsOn": order[:number],
        "Properties": {"QueueName": "standard.fifo"},  # a FIFO queue can have this name, a standard queue cannot
    }


def deploy(account: ClientFactory, name: str, profile: str, template: Template) -> tuple[str, str]:
    """Create a stack as the CDK CLI does. Return its id and its status."""
    cloudformation = account("cloudformation")
    # A request has at most 51,200 bytes of template, so the CDK CLI uploads each template.
    account("s3").put_object(Bucket=ASSETS, Key="template.json", Body=json.dumps(template))
    stack = cloudformation.create_stack(
        StackName=name,
        TemplateURL=f"https://s3.us-east-1.amazonaws.com/{ASSETS}/template.json",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        EnableTerminationProtection=PROFILES[profile]().retain_data,
    )
    return stack["StackId"], wait(account, stack["StackId"])


def fail_deployment(account: ClientFactory, stem: str, profile: str, place: str) -> tuple[str, str]:
    """Deploy an example with a resource that fails. Return the id and the status of the stack."""
    template = deployable(profile, stem)
    add_failing_resource(template, place)
    return deploy(account, stack_name(stem), profile, template)


def wait(account: ClientFactory, stack_id: str) -> str:
    """Wait until CloudFormation has finished, and return the status of the stack."""
    while True:
        (stack,) = account("cloudformation").describe_stacks(StackName=stack_id)["Stacks"]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return str(stack["StackStatus"])
        time.sleep(0.05)


def delete(account: ClientFactory, stack_id: str) -> None:
    """Delete a stack. Raises ClientError if the stack is protected."""
    account("cloudformation").delete_stack(StackName=stack_id)
    assert wait(account, stack_id) == "DELETE_COMPLETE"


def remaining_types(account: ClientFactory, stack_id: str) -> list[str]:
    """Return the types of the resources that the stack created and did not delete. They come from its events."""
    newest: dict[str, Any] = {}
    for page in account("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack_id):
        for event in page["StackEvents"]:
            if event["ResourceType"] != "AWS::CloudFormation::Stack":
                newest.setdefault(event["LogicalResourceId"], event)
    newest.pop(FAILING)
    return sorted(event["ResourceType"] for event in newest.values() if event["ResourceStatus"] != "DELETE_COMPLETE")


def table_cell(stem: str, place: str, column: str) -> str:
    """Return a cell of the table in docs/failures.md. `stem` is the short name of an example, such as ecs_ec2."""
    header, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in RESULTS.read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    ((_, _, *cells),) = [row for row in rows if row[:2] == [f"[{stem}]({stem}.md)", place]]
    return dict(zip(header[2:], cells, strict=True))[column]


def table_words(types: list[str]) -> str:
    """Return the types of remaining resources as the table names them. Several tables are `the tables`."""
    words = Counter(WORDS[kind] for kind in types if kind != "AWS::S3::BucketPolicy")
    return ", ".join(word if count == 1 else f"{word}s" for word, count in words.items()) or "nothing"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("stem", sorted(STACKS))
def test_a_failed_sandbox_stack_leaves_nothing_and_can_be_deployed_again(
    account: ClientFactory, empty_engine: tuple[LocalAws, Engine], stem: str, place: str
) -> None:
    name, before = stack_name(stem), inventory(*empty_engine)
    stack_id, status = fail_deployment(account, stem, "sandbox", place)
    assert status == "ROLLBACK_COMPLETE"
    remaining = table_words(remaining_types(account, stack_id))
    assert remaining == table_cell(stem, place, "remains in the sandbox") == "nothing"
    assert inventory(*empty_engine) - before == {f"stack {name}"}
    # `make deploy` does the same: the CDK CLI deletes a failed stack, and then creates it again.
    delete(account, stack_id)
    stack_id, status = deploy(account, name, "sandbox", deployable("sandbox", stem))
    assert status == "CREATE_COMPLETE"
    delete(account, stack_id)
    assert inventory(*empty_engine) == before


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("stem", sorted(STACKS))
@pytest.mark.usefixtures("poll_without_delay")
def test_a_failed_production_stack_can_be_deployed_again_after_make_recover(
    account: ClientFactory, empty_engine: tuple[LocalAws, Engine], stem: str, place: str
) -> None:
    name, before = stack_name(stem), inventory(*empty_engine)
    stack_id, status = fail_deployment(account, stem, "production", place)
    assert status == "ROLLBACK_COMPLETE"
    assert table_words(remaining_types(account, stack_id)) == table_cell(stem, place, "remains in production")
    with pytest.raises(ClientError, match="cannot be deleted while TerminationProtection is enabled"):
        delete(account, stack_id)  # `make deploy` also tries this, and fails
    recover(account, name, lambda _question: True)
    assert inventory(*empty_engine) <= before
    assert table_cell(stem, place, "remains after `make recover`") == "nothing"
    stack_id, status = deploy(account, name, "production", deployable("production", stem))
    assert status == "CREATE_COMPLETE"
    account("cloudformation").update_termination_protection(StackName=name, EnableTerminationProtection=False)
    delete(account, stack_id)


@pytest.fixture
def poll_without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.recover.POLL_SECONDS", 0)


def test_the_table_has_a_row_for_each_rehearsal() -> None:
    rows = [line for line in RESULTS.read_text(encoding="utf-8").splitlines() if line.startswith("| [")]
    assert len(rows) == len(STACKS) * len(PLACES)
