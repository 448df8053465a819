"""What the ecr stack means to be; the snapshot beside it says what it is to the letter."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.aws_logs import RetentionDays

from stacks.ecr import EcrStack
from tests.support.apps import assembly, templates
from tools.templates import resources

SANDBOX = templates("sandbox")["ecr"]
PRODUCTION = templates("production")["ecr"]
both = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])


def repository(template: dict[str, Any]) -> dict[str, Any]:
    (found,) = resources(template, "AWS::ECR::Repository").values()
    return dict(found["Properties"])


def publisher(template: dict[str, Any]) -> dict[str, Any]:
    (found,) = [one for name, one in resources(template, "AWS::Lambda::Function").items() if name.startswith("Publish")]
    return dict(found["Properties"])


@both
def test_the_ids_of_stores_never_change(template: dict[str, Any]) -> None:
    """Another id is another repository: CloudFormation would delete this one, with the images that services run."""
    assert set(resources(template, "AWS::ECR::Repository")) == {"Web3C8945DB"}


@both
def test_the_outputs_are_what_the_smoke_tests_and_lessons_use(template: dict[str, Any]) -> None:
    assert set(template["Outputs"]) == {"RepositoryUri", "WebImage"}


@both
def test_images_are_scanned_and_a_tag_means_one_of_them(template: dict[str, Any]) -> None:
    assert repository(template)["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert repository(template)["ImageTagMutability"] == "IMMUTABLE"


@both
def test_what_is_old_goes_by_itself(template: dict[str, Any]) -> None:
    rules = json.loads(repository(template)["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    untagged, tagged = (rule["selection"] for rule in rules)
    assert untagged == {"tagStatus": "untagged", "countType": "sinceImagePushed", "countNumber": 1, "countUnit": "days"}
    assert tagged == {
        "tagStatus": "tagged",
        "tagPatternList": ["*"],
        "countType": "imageCountMoreThan",
        "countNumber": 10,
    }


def test_the_sandbox_can_be_deleted_with_images_in_it() -> None:
    assert repository(SANDBOX)["EmptyOnDelete"] is True
    assert repository(PRODUCTION)["EmptyOnDelete"] is False


@both
def test_the_image_is_published_by_each_deployment_that_has_a_new_one(template: dict[str, Any]) -> None:
    assets = json.loads((assembly("sandbox") / "compute-ecr.assets.json").read_text())
    (image,) = assets["dockerImages"]
    assert publisher(template)["Environment"]["Variables"]["IMAGE_TAG"] == image
    assert template["Outputs"]["WebImage"]["Value"]["Fn::Join"][1][-1] == f":{image}"
    (trigger,) = resources(template, "Custom::Trigger").values()
    # A version is made anew whenever the function or its environment changes.
    (version,) = resources(template, "AWS::Lambda::Version")
    assert trigger["Properties"]["HandlerArn"] == {"Ref": version}
    assert trigger["Properties"]["InvocationType"] == "RequestResponse", "or a failure would not be the deployment's"
    assert int(trigger["Properties"]["Timeout"]) == publisher(template)["Timeout"] * 1000
    assert {*resources(template, "AWS::ECR::Repository")} <= {*trigger["DependsOn"]}


@both
def test_the_publisher_may_read_one_repository_and_add_to_the_other(template: dict[str, Any]) -> None:
    (policy,) = [
        one for name, one in resources(template, "AWS::IAM::Policy").items() if name.startswith("RoleDefaultPolicy")
    ]
    allowed = {
        tuple(statement["Action"]): json.dumps(statement["Resource"])
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    }
    logs, read, write = allowed
    assert logs == ("logs:CreateLogStream", "logs:PutLogEvents")
    assert read == ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
    assert "container-assets" in allowed[read]
    assert write == (
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
    )
    assert allowed[write] == json.dumps({"Fn::GetAtt": ["Web3C8945DB", "Arn"]})


def test_without_docker_the_repository_is_deployed_empty(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path))
    EcrStack(app, "Empty", retain_data=False, log_retention=RetentionDays.ONE_DAY, architecture="arm64", publish=False)
    app.synth()
    template = json.loads((tmp_path / "Empty.template.json").read_text())
    assert resources(template, "AWS::Lambda::Function") == {}
    assert len(resources(template, "AWS::ECR::Repository")) == 1
    assert json.loads((tmp_path / "Empty.assets.json").read_text())["dockerImages"] == {}
    assert set(template["Outputs"]) == {"RepositoryUri"}
