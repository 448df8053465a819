"""These tests build and run the image of the Batch job. They are skipped if the machine has no container tool."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.project import PHOTO
from localaws import container_tool
from localaws.aws import Engine, LocalAws
from localaws.container_tool import Tool
from stacks.batch_job import DOCKERFILE
from tests.containers.images import build_image, checked_output, compiled_modules

BUCKETS = ("batch-image-in", "batch-image-out")


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tool]:
    folder = tmp_path_factory.mktemp("containers")
    tool = container_tool.find(folder)
    if not tool:
        pytest.skip(f"no container tool: {tool.why}")
    yield tool
    container_tool.remove_all(tool, folder)


@pytest.fixture(scope="module")
def image(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> str:
    folders = ("containers/batch", "lambda_src/thumbnail")
    return build_image(tool, DOCKERFILE, folders, "batch-test:1", tmp_path_factory.mktemp("context"))


@pytest.mark.timeout(300)
def test_python_compiles_no_module_when_the_job_starts(tool: Tool, image: str) -> None:
    assert compiled_modules(tool, image, "batch.command") == []


@pytest.mark.timeout(300)
def test_the_image_makes_a_thumbnail_without_root_and_with_a_read_only_disk(
    tool: Tool, image: str, local_aws: LocalAws, engine: Engine
) -> None:
    s3: Any = local_aws.client("s3", engine)
    for bucket in BUCKETS:
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=BUCKETS[0], Key="coffee cup.jpg", Body=PHOTO.read_bytes())
    environment = {
        **{name: value for name, value in local_aws.environment(engine).items() if name.startswith("AWS_")},
        "INPUT_BUCKET": BUCKETS[0],
        "OUTPUT_BUCKET": BUCKETS[1],
        "MAX_EDGE": "256",
        "MAX_BYTES": "50000000",
        "MAX_PIXELS": "50000000",
        "MAX_DECODING_BYTES": "1258291200",
        "VCPUS": "2",
        "AWS_BATCH_JOB_ID": "job",
        "AWS_BATCH_JOB_ATTEMPT": "1",
    }
    variables = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
    restrictions = ("--read-only", "--tmpfs", "/tmp:size=64m", "--cap-drop", "all", "--network", "host")  # noqa: S108 - this is /tmp in the container
    output = checked_output(
        tool("run", "--rm", *tool.run, *restrictions, *variables, image, "--keys", "*", "--children", "1")
    )
    assert '"made": 1' in output
    (thumbnail,) = s3.list_objects_v2(Bucket=BUCKETS[1], Prefix="thumbnails/")["Contents"]
    assert thumbnail["Key"].startswith("thumbnails/256/coffee'20cup.jpg!")
    user = checked_output(tool("image", "inspect", "--format", "{{.Config.User}}", image)).strip()
    assert user == "65532:65532"
    for bucket in BUCKETS:
        for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]:
            s3.delete_object(Bucket=bucket, Key=entry["Key"])
        s3.delete_bucket(Bucket=bucket)
