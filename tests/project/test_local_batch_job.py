"""`local.batch_job` runs the children of the batch job as processes of this machine."""

import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from local import batch_job
from local.batch_job import ArrayJob


def test_the_temporary_folder_of_the_children_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\ntouch "$TMPDIR/file" && printf %s "$TMPDIR"')
    program.chmod(0o700)
    monkeypatch.setattr("local.batch_job.sys.executable", str(program))
    definition = {
        "jobDefinitionArn": "arn:job-definition",
        "containerProperties": {"command": [], "environment": [], "jobRoleArn": "arn:role"},
    }
    client = Mock()
    client.describe_job_definitions.return_value = {"jobDefinitions": [definition]}
    client.assume_role.return_value = {
        "Credentials": {"AccessKeyId": "id", "SecretAccessKey": "key", "SessionToken": "token"}
    }
    job = ArrayJob(
        client=lambda _: client,
        environment={"PATH": "/usr/bin:/bin"},
        outputs={"JobDefinitionArn": "arn:job-definition"},
        keys="*",
        children=2,
    )
    with job.running_children() as children:
        folders = {child.communicate()[0] for child in children}
        (temporary_folder,) = map(Path, folders)
        assert (temporary_folder / "file").exists()
    assert temporary_folder.parent == Path(tempfile.gettempdir())
    assert not temporary_folder.exists()


def _stack(name: str, example: str) -> dict[str, Any]:
    tags = [{"Key": "project", "Value": "aws-compute-examples"}, {"Key": "example", "Value": example}]
    return {"StackName": name, "Tags": tags, "Outputs": [{"OutputKey": "JobQueueArn", "OutputValue": f"arn:{name}"}]}


def test_the_tag_of_the_stack_finds_it_with_any_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Mock()
    monkeypatch.setattr(batch_job, "_client", lambda _: client)
    stacks = [_stack("mine-api", "api"), _stack("mine-batch", "batch"), {**_stack("CDKToolkit", ""), "Tags": []}]
    client.describe_stacks.return_value = {"Stacks": stacks}
    assert batch_job._stack_outputs() == {"JobQueueArn": "arn:mine-batch"}
    client.describe_stacks.return_value = {"Stacks": [*stacks, _stack("compute-batch", "batch")]}
    with pytest.raises(SystemExit, match=r"one stack of the batch example.*: mine-batch, compute-batch$"):
        batch_job._stack_outputs()
    client.describe_stacks.return_value = {"Stacks": []}
    with pytest.raises(SystemExit, match=r"none$"):
        batch_job._stack_outputs()
