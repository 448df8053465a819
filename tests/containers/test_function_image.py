"""These tests run the tests of the thumbnail handler again, with the function of the function_image example.

The function runs in the local AWS, a program that imitates AWS on this machine. It runs as a process, and as a
container of its image if the machine has a container tool. The local AWS sends it the events through Lambda's runtime
API.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.project import FUNCTION_STAND_IN, SETTINGS
from localaws.aws import Engine, LocalAws
from localaws.environment import ACCOUNT, REGION
from stacks.function_image import DOCKERFILE
from tests.containers.images import build_image, checked_output, compiled_modules
from tests.handlers.thumbnail.conftest import ENVIRONMENT, TABLE, THUMBNAILS, UPLOADS, World
from tests.handlers.thumbnail.test_thumbnail_handler import (  # noqa: F401 - pytest runs these tests here, too
    test_a_bad_picture_is_rejected_and_its_earlier_thumbnail_is_deleted,
    test_a_late_removal_does_not_remove_a_newer_picture,
    test_a_picture_gets_a_thumbnail_and_an_item,
    test_a_picture_larger_than_its_header_says_is_rejected_before_memory_runs_out,
    test_a_repeated_or_late_event_changes_nothing,
    test_every_key_gets_its_own_thumbnail,
)

pytestmark = pytest.mark.timeout(300)  # the first test builds the image
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
REPOSITORY = "function-image-test"
ACTIONS = ["s3:*", "dynamodb:*", "logs:*"]


class FunctionWorld(World):
    """The buckets and the table in the local AWS, and the deployed function."""

    def __init__(self, aws: LocalAws, engine: Engine) -> None:
        self.lambda_: Any = aws.client("lambda", engine)
        self.s3, self.dynamodb = aws.client("s3", engine), aws.client("dynamodb", engine)
        self.function: Any = SimpleNamespace(dynamodb=self.dynamodb)
        self.create_stores()

    def deliver(self, *records: dict[str, Any]) -> None:
        answer = self.invoke({"Records": list(records)})
        assert answer is None, f"the function failed: {answer}"

    def invoke(self, event: dict[str, Any]) -> Any:
        """Invoke the function, and return its answer."""
        return json.load(self.lambda_.invoke(FunctionName="thumbnail", Payload=json.dumps(event))["Payload"])

    def remove_stores(self) -> None:
        for bucket in (UPLOADS, THUMBNAILS):
            for entry in self.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                self.s3.delete_object(Bucket=bucket, Key=entry["Key"])
            self.s3.delete_bucket(Bucket=bucket)
        self.dynamodb.delete_table(TableName=TABLE)


@pytest.fixture(scope="module", params=["process", "image"])
def local_function(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LocalAws, Engine]]:
    """Start a local AWS and create the function in it."""
    aws = LocalAws(tmp_path_factory.mktemp("local"), SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "process":
            patch.setenv("LOCAL_CONTAINERS", "none")
        engine = aws.start(port=0)
    try:
        if request.param == "process":
            image = f"{REGISTRY}/{FUNCTION_STAND_IN}@sha256:{'0' * 64}"
        else:
            image = push_image(aws, engine, tmp_path_factory.mktemp("context"))
        create_function(aws, engine, image)
        yield aws, engine
    finally:
        aws.stop()


def push_image(aws: LocalAws, engine: Engine, context: Path) -> str:
    """Build the image, and push it into the registry of the local AWS. Return the name that it has there."""
    tool = engine.tool
    if not tool:
        pytest.skip(f"no container tool: {tool.why}")
    aws.client("ecr", engine).create_repository(repositoryName=REPOSITORY)
    name = image_in_engine(engine)
    build_image(tool, DOCKERFILE, ("containers/function_image", "lambda_src/thumbnail"), name, context)
    checked_output(tool("push", *tool.plain_http, name))
    return f"{REGISTRY}/{REPOSITORY}:1"


def image_in_engine(engine: Engine) -> str:
    """Return the name of the image in the registry of the local AWS."""
    return f"127.0.0.1:{engine.port}/{REPOSITORY}:1"


def create_function(aws: LocalAws, engine: Engine, image: str) -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    permissions = {"Effect": "Allow", "Action": ACTIONS, "Resource": "*"}
    iam = aws.client("iam", engine)
    role = iam.create_role(RoleName="thumbnail", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [permissions]})
    iam.put_role_policy(RoleName="thumbnail", PolicyName="all", PolicyDocument=policy)
    variables = {**ENVIRONMENT, "POWERTOOLS_METRICS_NAMESPACE": "Test", "POWERTOOLS_TRACE_DISABLED": "true"}
    aws.client("lambda", engine).create_function(
        FunctionName="thumbnail",
        PackageType="Image",
        Code={"ImageUri": image},
        Role=role["Arn"],
        Timeout=60,
        MemorySize=1769,
        Environment={"Variables": variables},
    )


@pytest.fixture
def world(local_function: tuple[LocalAws, Engine]) -> Iterator[World]:
    world = FunctionWorld(*local_function)
    yield world
    world.remove_stores()


def test_an_error_of_the_handler_is_the_answer_and_the_next_event_is_processed(world: FunctionWorld) -> None:
    event = json.dumps({"Records": [{"eventSource": "aws:sqs"}]})
    response = world.lambda_.invoke(FunctionName="thumbnail", Payload=event)
    assert response["FunctionError"] == "Unhandled"
    answer = json.load(response["Payload"])
    assert (answer["errorType"], answer["errorMessage"][:27]) == ("ValueError", "not a change of an S3 objec")
    assert world.invoke({"Event": "s3:TestEvent"}) is None


@pytest.mark.parametrize("local_function", ["image"], indirect=True)
def test_python_compiles_no_module_when_the_function_starts(local_function: tuple[LocalAws, Engine]) -> None:
    _, engine = local_function
    modules = "awslambdaric.__main__, thumbnail.handler"
    variables = {**ENVIRONMENT, "AWS_DEFAULT_REGION": REGION}
    assert compiled_modules(engine.tool, image_in_engine(engine), modules, **variables) == []
