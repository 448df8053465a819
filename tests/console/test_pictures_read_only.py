"""These tests open the pages of pictures for a real account, whose answers are fixed. The console must only read."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import requests
import uvicorn

from console.__main__ import _listening_socket
from console.account import RealAccount
from console.app import create_app
from console.examples import PROJECT_TAG
from console.facts import Facts

NAMES = ("UploadsBucketName", "ThumbnailsBucketName", "MetadataTableName", "DeadLetterQueueUrl")
BATCH_NAMES = ("JobQueueArn", "JobDefinitionArn", "InputBucketName", "OutputBucketName", "ThumbnailsFolder")
JOB = {"jobId": "<i>id", "jobName": "<b>name", "createdAt": 1_700_000_000_000, "status": "RUNNABLE"}


class FakeAccount(RealAccount):
    """A real account whose clients return fixed answers, and record the calls."""

    def __init__(self) -> None:
        super().__init__("compute")
        self.calls = MagicMock()

    def client(self, service: str) -> Any:
        return getattr(self.calls, service)


def _stack(stem: str) -> dict[str, Any]:
    names = BATCH_NAMES if stem == "batch" else NAMES
    return {
        "StackName": f"compute-{stem.replace('_', '-')}",
        "StackId": stem,
        "StackStatus": "CREATE_COMPLETE",
        "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
        "Tags": [{"Key": PROJECT_TAG[0], "Value": PROJECT_TAG[1]}, {"Key": "example", "Value": stem}],
        "Outputs": [{"OutputKey": name, "OutputValue": name} for name in names],
    }


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> FakeAccount:
    no_facts = Facts(
        running=(), stored=(), month="", work=(), files=(), machine="x86_64", other_processors=(), has_images=False
    )
    monkeypatch.setattr("console.app.facts", lambda _example: no_facts)  # the costs need a real template
    account = FakeAccount()
    calls = account.calls
    stacks = {"Stacks": [_stack("thumbnail"), _stack("batch"), _stack("function_image")]}
    calls.cloudformation.get_paginator.return_value.paginate.return_value = [stacks]
    calls.cloudformation.get_template.return_value = {"TemplateBody": {"Resources": {}}}
    calls.s3.list_objects_v2.return_value = {"IsTruncated": False}
    pages = MagicMock(resume_token="more")
    pages.__iter__.return_value = []
    calls.s3.get_paginator.return_value.paginate.return_value = pages
    calls.dynamodb.scan.return_value = {"Items": []}
    calls.sqs.get_queue_attributes.return_value = {"Attributes": {"ApproximateNumberOfMessages": "2"}}
    calls.batch.list_jobs.return_value = {"jobSummaryList": [JOB], "nextToken": "more"}
    return account


@pytest.fixture
def url(account: FakeAccount, tmp_path: Path) -> Iterator[str]:
    with _listening_socket(0) as listener:
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(create_app(account, tmp_path, port), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join()


def test_the_page_of_thumbnails_only_counts_dead_letters(url: str, account: FakeAccount) -> None:
    text = requests.get(f"{url}/examples/thumbnail", timeout=10).text
    assert "There are 2 dead letters." in text
    assert "There are no pictures yet." in text
    assert 'type="file"' not in text
    assert not account.calls.sqs.receive_message.called, "it would hide the messages, or raise their receive count"


def test_the_page_of_the_image_compares_it_with_the_zip_file(url: str, account: FakeAccount) -> None:
    calls = account.calls
    calls.cloudformation.get_template.return_value = {
        "TemplateBody": {"Resources": {"Function1": {"Type": "AWS::Lambda::Function"}}}
    }
    calls.cloudformation.describe_stack_resource.side_effect = lambda StackName, **_: {  # noqa: N803 - a name of boto3
        "StackResourceDetail": {"PhysicalResourceId": StackName}
    }
    image = {"Configuration": {"PackageType": "Image", "Architectures": ["arm64"]}, "Code": {"ImageUri": "x/a/<b>:1"}}
    bundle = {"Configuration": {"CodeSize": 14_300_000, "Handler": "h", "Architectures": ["arm64"]}, "Code": {}}
    calls.lambda_ = getattr(calls, "lambda")
    calls.lambda_.get_function.side_effect = lambda FunctionName: (  # noqa: N803 - a name of boto3
        image if "image" in FunctionName else bundle
    )
    calls.ecr.describe_images.return_value = {"imageDetails": [{"imageSizeInBytes": 80_100_000}]}
    text = requests.get(f"{url}/examples/function_image", timeout=10).text
    assert "80.1 MB" in text
    assert "14.3 MB" in text
    assert "a/&lt;b&gt;:1" in text
    calls.ecr.describe_images.assert_called_with(repositoryName="a/<b>", imageIds=[{"imageTag": "1"}])
    assert calls.lambda_.get_function.call_count == 2, "each package is read only once"


def test_the_page_of_batch_shows_the_newest_jobs_of_the_queue(url: str, account: FakeAccount) -> None:
    text = requests.get(f"{url}/examples/batch", timeout=10).text
    assert "<td>2023-11-14 22:13:20</td><td>&lt;b&gt;name</td><td><code>&lt;i&gt;id</code></td>" in text
    assert "runnable</span>" in text
    assert "There are more jobs." in text
    assert "hx-post" not in text
    request = account.calls.batch.list_jobs.call_args.kwargs
    assert request["jobQueue"] == "JobQueueArn"
    assert request["filters"][0]["name"] == "AFTER_CREATED_AT"  # without a filter, Batch lists only running jobs


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "thumbnail/pictures?key=a"),
        ("POST", "thumbnail/actions/remove"),
        ("PUT", "function_image/pictures?key=a"),
        ("POST", "batch/actions/submit"),
        ("POST", "batch/actions/kill"),
    ],
)
def test_a_real_account_is_not_changed(url: str, account: FakeAccount, method: str, path: str) -> None:
    answer = requests.request(method, f"{url}/examples/{path}", headers={"Origin": url}, data=b"key=a", timeout=10)
    assert (answer.status_code, answer.text) == (403, "The console changes nothing in a real account.\n")
    assert not account.calls.s3.method_calls
