"""These tests check the most important properties of the function_image stack. test_snapshots.py has its templates."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template as CdkTemplate
from aws_cdk.aws_logs import RetentionDays

from stacks._thumbnails import MEMORY_MB
from stacks.function_image import DOCKERFILE, FunctionImageStack
from tests.support.apps import assembly, example_assembly, properties_of, stack_name, templates
from tests.support.bundles import locked_versions
from tests.support.folders import ROOT
from tools.templates import Template, resources

in_both_profiles = pytest.mark.parametrize(
    "template",
    [templates(profile)["function_image"] for profile in ("sandbox", "production")],
    ids=["sandbox", "production"],
)


@in_both_profiles
def test_the_function_is_an_image_without_runtime_and_handler(template: Template) -> None:
    function = properties_of(template, "AWS::Lambda::Function", "Function")
    assert function["PackageType"] == "Image"
    assert list(function["Code"]) == ["ImageUri"]
    assert not {"Runtime", "Handler", "Layers", "SnapStart"} & set(function)
    assert function["MemorySize"] == MEMORY_MB


def test_the_image_and_the_function_have_the_configured_architecture() -> None:
    for folder, architecture, platform in (
        (assembly("sandbox"), "arm64", "linux/arm64"),
        (example_assembly("function_image", architecture="x86_64"), "x86_64", "linux/amd64"),
    ):
        template = json.loads((folder / f"{stack_name('function_image')}.template.json").read_text())
        assert properties_of(template, "AWS::Lambda::Function", "Function")["Architectures"] == [architecture]
        assets = json.loads((folder / f"{stack_name('function_image')}.assets.json").read_text())["dockerImages"]
        assert [one["source"]["platform"] for one in assets.values()] == [platform]


def test_the_image_contains_exactly_the_modules_of_the_thumbnail_function() -> None:
    (image,) = [one for one in assembly("sandbox").glob("asset.*") if (one / DOCKERFILE).exists()]
    files = {path.relative_to(image).as_posix() for path in image.rglob("*") if path.is_file()}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "lambda_src/thumbnail").rglob("*.py")}
    assert files == {DOCKERFILE, "containers/function_image/requirements.txt", *modules}


def test_the_image_has_the_packages_of_the_zip_file() -> None:
    image = locked_versions(ROOT / "containers/function_image/requirements.txt")
    bundle = locked_versions(ROOT / "lambda_src/thumbnail/requirements.txt")
    assert {name: image[name] for name in bundle} == bundle, "`make lock` makes them equal"
    included = (ROOT / "containers/function_image/requirements.in").read_text()
    assert f"-r ../../{'lambda_src/thumbnail/requirements.in'}\n" in included
    assert {"awslambdaric", "botocore"} <= set(image), "Lambda's Python runtime has both, a slim image has neither"


@pytest.mark.parametrize(
    ("name", "end"), [("mine:v1", "/mine:v1"), (f"team/mine@sha256:{'0' * 64}", f"/team/mine@sha256:{'0' * 64}")]
)
def test_an_existing_image_needs_no_docker(name: str, end: str) -> None:
    stack = FunctionImageStack(
        cdk.App(),
        "x",
        retain_data=False,
        log_retention=RetentionDays.ONE_WEEK,
        architecture="arm64",
        max_edge=256,
        name=name,
    )
    template = dict(CdkTemplate.from_stack(stack).to_json())
    uri = properties_of(template, "AWS::Lambda::Function", "Function")["Code"]["ImageUri"]
    assert "".join(part for part in uri["Fn::Join"][1] if isinstance(part, str)).endswith(end)
    assert not resources(template, "AWS::ECR::Repository")
