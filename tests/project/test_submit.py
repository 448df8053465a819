"""These tests check `make submit`: its requests to Batch, its output and its exit code."""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from moto import mock_aws

from config import sandbox
from scripts import submit
from scripts.manifests import show_manifests
from stacks.batch_job import VCPUS
from tests.support.faulty_server import Fault, Request, Response, run_faulty_server
from tests.support.folders import ROOT

OUTPUTS = {"JobQueueArn": "queue", "JobDefinitionArn": "definition", "OutputBucketName": "output"}


@cache
def _client(service: str) -> Any:
    return boto3.client(service, "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")  # type: ignore[call-overload]


@pytest.fixture
def batch() -> Iterator[tuple[Any, Stubber]]:
    with Stubber(_client("batch")) as stubber:
        yield _client("batch"), stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        _client("s3").create_bucket(Bucket="output")
        yield _client("s3")


@pytest.fixture
def submit_patch(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Prepare a run of `make submit CHILDREN=1`: the stack seems to be deployed, and Batch seems to accept the job.

    Return the object with which a test replaces further functions of the command.
    """
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(sys, "argv", ["submit", "--children", "1"])
    monkeypatch.setattr(submit, "stack_outputs", lambda _: OUTPUTS)
    monkeypatch.setattr(submit, "submit_job", lambda *_: "id")
    return monkeypatch


@pytest.mark.parametrize(
    ("children", "array_properties"),
    [(4, {"arrayProperties": {"size": 4}}), (1, {})],
    ids=["array job", "job without an array"],
)
def test_the_request_has_the_number_of_children_as_array_size_and_as_parameter(
    batch: tuple[Any, Stubber], children: int, array_properties: dict[str, Any]
) -> None:
    client, stubber = batch
    parameters = {"keys": "a/*", "children": str(children)}
    request = {"jobName": "thumbnails", "jobQueue": "queue", "jobDefinition": "definition", "parameters": parameters}
    stubber.add_response("submit_job", {"jobName": "thumbnails", "jobId": "id"}, {**request, **array_properties})
    assert submit.submit_job(client, OUTPUTS, "a/*", children) == "id"


def _job(status: str, **counts: int) -> dict[str, Any]:
    job = {"jobName": "x", "jobId": "id", "jobQueue": "q", "status": status, "startedAt": 0, "jobDefinition": "d"}
    return {"jobs": [{**job, "arrayProperties": {"statusSummary": counts}}]}


@pytest.mark.parametrize("final_status", ["SUCCEEDED", "FAILED"])
def test_the_command_prints_each_change_of_the_progress(
    batch: tuple[Any, Stubber], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], final_status: str
) -> None:
    client, stubber = batch
    monkeypatch.setattr(submit, "POLL_SECONDS", 0)
    unknown_job: dict[str, Any] = {"jobs": []}  # Batch does not list a job immediately after its submission
    for response in (
        unknown_job,
        _job("PENDING", RUNNABLE=2),
        _job("PENDING", RUNNABLE=2),
        _job("PENDING", RUNNING=1, SUCCEEDED=1),
        _job(final_status, **{final_status: 2}),
    ):
        stubber.add_response("describe_jobs", response, {"jobs": ["id"]})
    assert submit.follow_job(client, "id") is (final_status == "SUCCEEDED")
    printed = [line.split("  ")[-1] for line in capsys.readouterr().out.splitlines()]
    assert printed == ["2 runnable", "1 running, 1 succeeded", f"2 {final_status.lower()}"]


def test_the_command_prints_the_reasons_of_batch_for_failed_children(
    batch: tuple[Any, Stubber], capsys: pytest.CaptureFixture[str]
) -> None:
    """Batch's reason is necessary. For example, a child whose image could not be pulled has no manifest and no log."""
    client, stubber = batch
    no_image = {"statusReason": "Task failed to start", "container": {"reason": "CannotPullContainerError: no"}}
    exited = {"statusReason": "Essential container in task exited", "container": {"exitCode": 1}}
    children = [
        {"jobId": "id", "jobName": "x", "arrayProperties": {"index": index}, **reason}
        for index, reason in ((0, no_image), (3, exited), (4, {}))
    ]
    stubber.add_response(
        "list_jobs", {"jobSummaryList": children}, {"arrayJobId": "id", "jobStatus": "FAILED", "maxResults": 5}
    )
    submit.print_failure_reasons(client, "id", 8)
    job_without_array = _job("FAILED")
    job_without_array["jobs"][0] |= exited
    stubber.add_response("describe_jobs", job_without_array, {"jobs": ["id"]})
    submit.print_failure_reasons(client, "id", 1)
    assert capsys.readouterr().out.splitlines() == [
        "        child 0 failed: Task failed to start; CannotPullContainerError: no",
        "        child 3 failed: Essential container in task exited; exit code 1",
        "        child 4 failed: Batch gives no reason",
        "        child 0 failed: Essential container in task exited; exit code 1",
    ]


def write_manifest(s3: Any, child: int, attempt: int, *, complete: bool = True, **counts: int) -> None:
    totals = {"complete": complete, **dict.fromkeys(("made", "skipped", "rejected", "failed"), 0), **counts}
    lines = [
        json.dumps({"outcome": outcome, "key": f"{outcome} {number}", "reason": "why"})
        for outcome, count in counts.items()
        for number in range(count)
    ]
    name = f"manifests/id/{child:05}.{attempt}"
    s3.put_object(Bucket="output", Key=f"{name}.json", Body=json.dumps(totals))
    s3.put_object(Bucket="output", Key=f"{name}.jsonl", Body="\n".join(lines))


def test_the_results_come_from_the_last_attempt_of_each_child(s3: Any, capsys: pytest.CaptureFixture[str]) -> None:
    write_manifest(s3, 0, 9, complete=False, made=3)
    write_manifest(s3, 0, 10, made=2, skipped=3)
    write_manifest(s3, 1, 1, made=4, rejected=1)
    assert show_manifests(s3, "output", "id", 2)
    assert capsys.readouterr().out.splitlines() == [
        "    6 made, 3 skipped, 1 rejected, 0 failed",
        "        rejected: rejected 0: why",
    ]


@pytest.mark.parametrize(
    ("manifests", "line"),
    [
        ({}, "2 of 2 children did not finish. Their numbers: 0, 1"),  # no child of the job ran
        ({0: {"made": 1}}, "1 of 2 children did not finish. Their numbers: 1"),
        ({0: {"made": 1}, 1: {"made": 1, "complete": False}}, "1 of 2 children did not finish. Their numbers: 1"),
        ({0: {"made": 1}, 1: {"failed": 1}}, "failed: failed 0: why"),
    ],
    ids=["no manifest", "one manifest missing", "one child stopped early", "one picture failed"],
)
def test_the_result_of_an_incomplete_job_is_false_and_the_reason_is_printed(
    s3: Any, capsys: pytest.CaptureFixture[str], manifests: dict[int, dict[str, Any]], line: str
) -> None:
    for child, counts in manifests.items():
        write_manifest(s3, child, 1, **counts)
    assert not show_manifests(s3, "output", "id", 2)
    assert line in capsys.readouterr().out


@pytest.mark.parametrize("fault", ["503", "cut off", "cut off by reset"])
def test_the_results_are_downloaded_again_when_an_answer_breaks_off(
    capsys: pytest.CaptureFixture[str], fault: Fault
) -> None:
    name = "manifests/id/00000.1"
    totals = {"complete": True, "made": 1, "skipped": 0, "rejected": 1, "failed": 0}
    line = {"outcome": "rejected", "key": "a.jpg", "reason": "why"}
    contents = f"<Contents><Key>{name}.json</Key></Contents><Contents><Key>{name}.jsonl</Key></Contents>"
    bodies = {
        "/output": f"<ListBucketResult>{contents}</ListBucketResult>",
        f"/output/{name}.json": json.dumps(totals),
        f"/output/{name}.jsonl": json.dumps(line),
    }

    def answer(request: Request) -> Response:
        return Response(bodies[request.path.partition("?")[0]].encode(), headers={"ETag": '"etag"'})

    def choose_fault(request: Request) -> Fault | None:
        return fault if ".json" in request.path and request.method == "GET" and not request.earlier else None

    with run_faulty_server(answer, choose_fault) as endpoint:
        s3 = boto3.client(
            "s3", "us-east-1", endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="test"
        )
        assert show_manifests(s3, "output", "id", 1)
    assert capsys.readouterr().out.splitlines()[-1] == "        rejected: a.jpg: why"


def test_at_most_ten_rejected_pictures_are_printed(s3: Any, capsys: pytest.CaptureFixture[str]) -> None:
    write_manifest(s3, 0, 1, rejected=30)
    assert show_manifests(s3, "output", "id", 1)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1 + 10 + 1
    assert "aws s3 cp --recursive s3://output/manifests/id ." in printed[-1]


def test_the_default_job_fits_the_default_vcpus() -> None:
    assert submit.DEFAULT_CHILDREN >= 2, "an array job needs two children"
    assert sandbox().batch_max_vcpus == submit.DEFAULT_CHILDREN * VCPUS
    assert f"\nCHILDREN ?= {submit.DEFAULT_CHILDREN}\n" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize(("option", "value"), [("--keys", "*.jpg"), ("--keys", "holiday/"), ("--children", "0")])
def test_a_wrong_option_is_an_error_and_no_job_is_submitted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["submit", option, value])
    with pytest.raises(SystemExit) as ended:
        submit.main()
    assert ended.value.code == 2
    assert f"{option} " in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("keys", ["-dash*", "--children*", "a b*", "*"])
def test_make_passes_keys_that_look_like_an_option(submit_patch: pytest.MonkeyPatch, tmp_path: Path, keys: str) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    python.chmod(0o755)
    make = ["make", "--no-print-directory", "--old-file", "setup", "submit", f"KEYS={keys}", f"BIN={tmp_path}"]
    run = subprocess.run(make, cwd=ROOT, check=True, capture_output=True, text=True)
    options = run.stdout.splitlines()[2:]  # after `-m scripts.submit`
    submitted: list[str] = []
    submit_patch.setattr(sys, "argv", ["submit", *options])

    def record_keys(_batch: Any, _deployed: Any, keys: str, _children: int) -> str:
        submitted.append(keys)
        return "id"

    submit_patch.setattr(submit, "submit_job", record_keys)
    submit_patch.setattr(submit, "follow_job", lambda *_: True)
    submit_patch.setattr(submit, "show_manifests", lambda *_: True)
    assert submit.main() == 0
    assert submitted == [keys]


@pytest.mark.parametrize(
    ("error", "expected_output"),
    [(KeyboardInterrupt(), 130), (EndpointConnectionError(endpoint_url="https://batch"), "error: cannot reach AWS (")],
    ids=["ctrl-c", "network error"],
)
def test_if_the_display_of_a_job_stops_the_output_has_commands_for_the_job(
    submit_patch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    expected_output: int | str,
) -> None:
    def raise_error(*_: Any) -> bool:
        raise error

    submit_patch.setattr(submit, "follow_job", raise_error)
    with pytest.raises(SystemExit) as ended:
        sys.exit(submit.main())
    output = capsys.readouterr().out + str(ended.value.code)
    assert str(expected_output) in output
    assert "aws batch describe-jobs --jobs id" in output
    assert "aws batch terminate-job --job-id id --reason" in output


def test_after_a_failed_job_the_command_prints_reasons_and_returns_1(
    s3: Any, submit_patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_manifest(s3, 0, 1, made=1)
    submit_patch.setattr(submit, "follow_job", lambda *_: False)
    submit_patch.setattr(submit, "print_failure_reasons", lambda *_: print("why"))
    assert submit.main() == 1
    assert capsys.readouterr().out.splitlines()[1:4] == ["==> reasons from Batch", "why", "==> results of the children"]


def test_a_missing_stack_is_reported_with_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    client = _client("cloudformation")
    with Stubber(client) as stubber:
        missing = "Stack with id mine-batch does not exist"
        stubber.add_client_error("describe_stacks", "ValidationError", missing)
        monkeypatch.setattr(boto3, "client", lambda *_, **__: client)
        monkeypatch.setattr(sys, "argv", ["submit", "--prefix", "mine"])
        with pytest.raises(
            SystemExit, match=r"error: mine-batch does not exist in this account and region\. Deploy it with"
        ):
            submit.main()
