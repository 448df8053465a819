"""The batch job as processes of this machine."""

import tempfile
from pathlib import Path
from unittest.mock import Mock

import pytest

from local.batch_job import ArrayJob


def test_temporary_files_of_the_children_are_deleted_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\ntouch "$TMPDIR/left" && printf %s "$TMPDIR"')
    program.chmod(0o700)
    monkeypatch.setattr("local.batch_job.sys.executable", str(program))
    definition = {
        "jobDefinitionArn": "of the job",
        "containerProperties": {"command": [], "environment": [], "jobRoleArn": "of the role"},
    }
    client = Mock()
    client.describe_job_definitions.return_value = {"jobDefinitions": [definition]}
    client.assume_role.return_value = {
        "Credentials": {"AccessKeyId": "id", "SecretAccessKey": "key", "SessionToken": "token"}
    }
    job = ArrayJob(
        client=lambda _: client,
        environment={"PATH": "/usr/bin:/bin"},
        outputs={"JobDefinitionArn": "of the job"},
        keys="*",
        children=2,
    )
    with job.running_children() as children:
        folders = {child.communicate()[0] for child in children}
        (temporary,) = map(Path, folders)
        assert (temporary / "left").exists()
    assert temporary.parent == Path(tempfile.gettempdir())
    assert not temporary.exists()
