"""`local.batch_job` runs the children of the batch job as processes of this machine."""

import tempfile
from pathlib import Path
from unittest.mock import Mock

import pytest

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
