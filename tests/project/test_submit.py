"""`make submit`: what it asks of AWS Batch, what it shows, and what its exit code tells."""

import json
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from moto import mock_aws

from scripts import submit
from scripts.manifests import show_manifests

DEPLOYED = {"JobQueueArn": "queue", "JobDefinitionArn": "definition", "OutputBucketName": "output"}


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


@pytest.mark.parametrize(
    ("children", "array"), [(4, {"arrayProperties": {"size": 4}}), (1, {})], ids=["an array", "no array of one"]
)
def test_size_and_parameters_agree(batch: tuple[Any, Stubber], children: int, array: dict[str, Any]) -> None:
    client, stubber = batch
    parameters = {"keys": "a/*", "children": str(children)}
    asked = {"jobName": "thumbnails", "jobQueue": "queue", "jobDefinition": "definition", "parameters": parameters}
    stubber.add_response("submit_job", {"jobName": "thumbnails", "jobId": "id"}, {**asked, **array})
    assert submit.submit(client, DEPLOYED, "a/*", children) == "id"


def _job(status: str, **counts: int) -> dict[str, Any]:
    job = {"jobName": "x", "jobId": "id", "jobQueue": "q", "status": status, "startedAt": 0, "jobDefinition": "d"}
    return {"jobs": [{**job, "arrayProperties": {"statusSummary": counts}}]}


@pytest.mark.parametrize("end", ["SUCCEEDED", "FAILED"])
def test_a_job_is_followed_to_its_end(
    batch: tuple[Any, Stubber], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    client, stubber = batch
    monkeypatch.setattr(submit, "POLL_SECONDS", 0)
    unheard: dict[str, Any] = {"jobs": []}
    for answer in (
        unheard,
        _job("PENDING", RUNNABLE=2),
        _job("PENDING", RUNNABLE=2),
        _job("PENDING", RUNNING=1, SUCCEEDED=1),
        _job(end, **{end: 2}),
    ):
        stubber.add_response("describe_jobs", answer, {"jobs": ["id"]})
    assert submit.follow(client, "id") is (end == "SUCCEEDED")
    told = [line.split("  ")[-1] for line in capsys.readouterr().out.splitlines()]
    assert told == ["2 runnable", "1 running, 1 succeeded", f"2 {end.lower()}"]


SUMMARY = {"jobId": "id", "jobName": "x"}


def test_what_batch_knows_of_failed_children_is_said(
    batch: tuple[Any, Stubber], capsys: pytest.CaptureFixture[str]
) -> None:
    """Children whose image could not be pulled leave no manifest and no log."""
    client, stubber = batch
    pull = {"statusReason": "Task failed to start", "container": {"reason": "CannotPullContainerError: no"}}
    bug = {"statusReason": "Essential container in task exited", "container": {"exitCode": 1}}
    children = [
        {**SUMMARY, "arrayProperties": {"index": index}, **why} for index, why in ((0, pull), (3, bug), (4, {}))
    ]
    stubber.add_response(
        "list_jobs", {"jobSummaryList": children}, {"arrayJobId": "id", "jobStatus": "FAILED", "maxResults": 5}
    )
    submit.explain(client, "id", 8)
    one = _job("FAILED")
    one["jobs"][0] |= bug
    stubber.add_response("describe_jobs", one, {"jobs": ["id"]})
    submit.explain(client, "id", 1)
    assert capsys.readouterr().out.splitlines() == [
        "        child 0 failed: Task failed to start; CannotPullContainerError: no",
        "        child 3 failed: Essential container in task exited; exit code 1",
        "        child 4 failed: Batch gives no reason",
        "        child 0 failed: Essential container in task exited; exit code 1",
    ]


def put(s3: Any, child: int, attempt: int, *, complete: bool = True, **counts: int) -> None:
    """What a child leaves behind."""
    sums = {"complete": complete, **dict.fromkeys(("made", "skipped", "rejected", "failed"), 0), **counts}
    lines = [
        json.dumps({"outcome": outcome, "key": f"{outcome} {number}", "reason": "why"})
        for outcome, count in counts.items()
        for number in range(count)
    ]
    name = f"manifests/id/{child:05}.{attempt}"
    s3.put_object(Bucket="output", Key=f"{name}.json", Body=json.dumps(sums))
    s3.put_object(Bucket="output", Key=f"{name}.jsonl", Body="\n".join(lines))


def test_the_last_attempt_of_each_child_counts(s3: Any, capsys: pytest.CaptureFixture[str]) -> None:
    put(s3, 0, 9, complete=False, made=3)
    put(s3, 0, 10, made=2, skipped=3)
    put(s3, 1, 1, made=4, rejected=1)
    assert show_manifests(s3, "output", "id", 2)
    assert capsys.readouterr().out.splitlines() == [
        "    6 made, 3 skipped, 1 rejected, 0 failed",
        "        rejected: rejected 0: why",
    ]


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ({}, "not settled to the end: child 0, 1 of 2"),  # a job that "succeeded" without having run
        ({0: {"made": 1}}, "not settled to the end: child 1 of 2"),
        ({0: {"made": 1}, 1: {"made": 1, "complete": False}}, "not settled to the end: child 1 of 2"),
        ({0: {"made": 1}, 1: {"failed": 1}}, "failed: failed 0: why"),
    ],
)
def test_a_job_that_did_not_do_all_is_no_success(
    s3: Any, capsys: pytest.CaptureFixture[str], left: dict[int, dict[str, Any]], said: str
) -> None:
    for child, counts in left.items():
        put(s3, child, 1, **counts)
    assert not show_manifests(s3, "output", "id", 2)
    assert said in capsys.readouterr().out


def test_many_rejected_pictures_are_not_all_shown(s3: Any, capsys: pytest.CaptureFixture[str]) -> None:
    put(s3, 0, 1, rejected=30)
    assert show_manifests(s3, "output", "id", 1)
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 1 + 10 + 1
    assert "aws s3 cp --recursive s3://output/manifests/id ." in shown[-1]


@pytest.mark.parametrize(("option", "value"), [("--keys", "*.jpg"), ("--keys", "holiday/"), ("--children", "0")])
def test_what_cannot_be_submitted_is_said_before_anything_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["submit", option, value])
    with pytest.raises(SystemExit) as ended:
        submit.main()
    assert ended.value.code == 2
    assert f"{option} " in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("problem", "code"),
    [(KeyboardInterrupt(), 130), (EndpointConnectionError(endpoint_url="https://batch"), "error: Could not connect")],
    ids=["ctrl-c", "the network"],
)
def test_who_looks_on_no_longer_learns_that_the_job_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], problem: BaseException, code: int | str
) -> None:
    def interrupted(*_: Any) -> bool:
        raise problem

    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(sys, "argv", ["submit"])
    monkeypatch.setattr(submit, "outputs", lambda _: DEPLOYED)
    monkeypatch.setattr(submit, "submit", lambda *_: "id")
    monkeypatch.setattr(submit, "follow", interrupted)
    with pytest.raises(SystemExit) as ended:
        sys.exit(submit.main())
    said = capsys.readouterr().out + str(ended.value.code)
    assert str(code) in said
    assert "aws batch describe-jobs --jobs id" in said
    assert "aws batch terminate-job --job-id id --reason" in said


def test_a_job_that_failed_is_explained_and_no_success(
    s3: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(s3, 0, 1, made=1)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(sys, "argv", ["submit", "--children", "1"])
    monkeypatch.setattr(submit, "outputs", lambda _: DEPLOYED)
    monkeypatch.setattr(submit, "submit", lambda *_: "id")
    monkeypatch.setattr(submit, "follow", lambda *_: False)
    monkeypatch.setattr(submit, "explain", lambda *_: print("why"))
    assert submit.main() == 1
    assert capsys.readouterr().out.splitlines()[1:4] == ["==> what Batch says", "why", "==> what the children say"]
