"""These tests check the most important properties of the ecr stack. test_snapshots.py compares its whole template."""

import json
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk.aws_logs import RetentionDays

from stacks.ecr import EcrStack
from tests.support.apps import assembly, only_resource, properties_of, stack_name, templates
from tools.templates import Template, resources

SANDBOX = templates("sandbox")["ecr"]
PRODUCTION = templates("production")["ecr"]
in_both_profiles = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])
REPOSITORY = "AWS::ECR::Repository"


@in_both_profiles
def test_images_are_scanned_and_tags_are_immutable(template: Template) -> None:
    repository = properties_of(template, REPOSITORY)
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert repository["ImageTagMutability"] == "IMMUTABLE"


@in_both_profiles
def test_old_images_expire(template: Template) -> None:
    rules = json.loads(properties_of(template, REPOSITORY)["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    untagged, tagged = (rule["selection"] for rule in rules)
    assert untagged == {"tagStatus": "untagged", "countType": "sinceImagePushed", "countNumber": 1, "countUnit": "days"}
    assert tagged == {
        "tagStatus": "tagged",
        "tagPatternList": ["*"],
        "countType": "imageCountMoreThan",
        "countNumber": 10,
    }


@in_both_profiles
def test_a_deployment_copies_a_new_image_into_the_repository(template: Template) -> None:
    assets = json.loads((assembly("sandbox") / f"{stack_name('ecr')}.assets.json").read_text())
    (image,) = assets["dockerImages"]
    publisher = properties_of(template, "AWS::Lambda::Function", "Publish")
    assert publisher["Environment"]["Variables"]["IMAGE_TAG"] == image
    assert template["Outputs"]["WebImage"]["Value"]["Fn::Join"][1][-1] == f":{image}"
    trigger = only_resource(template, "Custom::Trigger")
    # A change of the function or its environment creates a new version. The new version changes the trigger, and
    # CloudFormation then runs the trigger again.
    (version,) = resources(template, "AWS::Lambda::Version")
    assert trigger["Properties"]["HandlerArn"] == {"Ref": version}
    assert trigger["Properties"]["InvocationType"] == "RequestResponse", "the deployment must fail if the copy fails"
    assert int(trigger["Properties"]["Timeout"]) == publisher["Timeout"] * 1000
    assert {*resources(template, REPOSITORY)} <= {*trigger["DependsOn"]}


def test_if_publish_is_false_the_stack_has_only_an_empty_repository(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path))
    EcrStack(app, "Empty", retain_data=False, log_retention=RetentionDays.ONE_DAY, architecture="arm64", publish=False)
    app.synth()
    template = json.loads((tmp_path / "Empty.template.json").read_text())
    assert resources(template, "AWS::Lambda::Function") == {}
    assert len(resources(template, REPOSITORY)) == 1
    assert json.loads((tmp_path / "Empty.assets.json").read_text())["dockerImages"] == {}
    assert set(template["Outputs"]) == {"RepositoryUri"}
