"""These tests run, kill and resume a job on the page of the batch example, in a browser."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from playwright.sync_api import Page, expect

from local.project import PHOTO
from local.waiting import wait_for
from localaws.aws import LocalAws
from tests.local.console.conftest import OpenPage
from tests.support.browser import needs_browser
from tests.support.deployment import Deployment
from tests.support.folders import ROOT

PATH = "/examples/batch"
PREFIX = "console <b>#?'é'/"
PICTURES = 200


@pytest.fixture
def pictures(deployment: Deployment) -> Iterator[dict[str, str]]:
    """Put pictures into the input bucket, and yield the outputs. At the end of the test, delete what it has made."""
    s3, outputs = deployment.client("s3"), deployment.outputs("batch")
    buckets = (outputs["InputBucketName"], outputs["OutputBucketName"])
    before = [_keys(s3, bucket) for bucket in buckets]
    body = PHOTO.read_bytes()
    with ThreadPoolExecutor(4) as threads:
        put = [
            threads.submit(s3.put_object, Bucket=buckets[0], Key=f"{PREFIX}{number:03}.jpg", Body=body)
            for number in range(PICTURES)
        ]
    assert all(future.result() for future in put)
    yield outputs
    for bucket, keys in zip(buckets, before, strict=True):
        if made := _keys(s3, bucket) - keys:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in made]})


def _keys(s3: Any, bucket: str) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {found["Key"] for page in pages for found in page.get("Contents", [])}


def _run(page: Page, keys: str) -> None:
    page.get_by_label("Keys of the pictures").fill(keys)
    page.get_by_role("button", name="Run", exact=True).click()


def _numbers_of_manifests(page: Page) -> list[int]:
    """Return how many pictures were made, skipped, rejected and failed, as the table shows it."""
    rows = [row.locator("td.number").all_inner_texts() for row in page.locator("#live-job tbody tr").all()]
    return [sum(map(int, numbers)) for numbers in zip(*rows, strict=True)]


@needs_browser
@pytest.mark.usefixtures("pictures")
def test_a_killed_job_continues_in_its_next_attempt(open_page: OpenPage) -> None:
    page = open_page(PATH)
    _run(page, f"{PREFIX}*")
    job = page.locator("#live-job")
    expect(job).to_contain_text(f"{PREFIX}*: {PICTURES} pictures, attempt 1.")
    expect(job).to_contain_text(re.compile(r"attempt 1\. [1-9]\d* thumbnails exist"), timeout=20_000)
    page.get_by_role("button", name="Kill all processes of the job").click()
    expect(job.get_by_text("killed", exact=True).first).to_be_visible()  # the other child may have ended just before
    expect(page.locator("#live-thumbnails .card").first).to_contain_text("console")
    page.get_by_role("button", name="Resume the job").click()
    expect(job.get_by_text("succeeded", exact=True)).to_have_count(2, timeout=30_000)
    expect(job).to_contain_text(f"attempt 2. {PICTURES} thumbnails exist.")
    expect(page.get_by_role("button", name="Resume the job")).to_be_visible()
    made, skipped, rejected, failed = _numbers_of_manifests(page)
    assert made + skipped == PICTURES
    # If the machine is busy, the first attempt may make all thumbnails before it is killed. Then none is left to make.
    assert (bool(skipped), rejected, failed) == (True, 0, 0)
    expect(page.locator("#live-thumbnails .card")).to_have_count(24)
    expect(page.locator("#live-thumbnails img").first).to_have_js_property("naturalWidth", 256)


@needs_browser
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("holiday/*.jpg", "Use one *, at the end"),
        ("holiday/", "Use one *, at the end"),
        ("no <b>such</b> picture*", "No picture in the bucket has a key like no <b>such</b> picture*."),
    ],
)
def test_the_page_explains_why_a_job_cannot_run(open_page: OpenPage, keys: str, message: str) -> None:
    page = open_page(PATH)
    _run(page, keys)
    expect(page.locator("#outcome .error")).to_contain_text(message)


@pytest.mark.parametrize("children", ["0", "5", "many"])
def test_the_number_of_children_is_limited(console_url: str, children: str) -> None:
    form = {"keys": "*", "children": children}
    url, headers = f"{console_url}{PATH}/actions/submit", {"Origin": console_url}
    answer = requests.post(url, data=form, headers=headers, timeout=10)
    assert "Choose 1 to 4 children." in answer.text


@pytest.mark.parametrize("key", ["", "manifests/x", "thumbnails/none"])
def test_the_route_of_thumbnails_serves_only_thumbnails(console_url: str, key: str) -> None:
    url = f"{console_url}{PATH}/thumbnails"
    assert requests.get(url, params={"key": key}, timeout=10).status_code == requests.codes.not_found


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGKILL])
def test_the_processes_of_a_job_end_with_the_console(
    stop_signal: signal.Signals, pictures: dict[str, str], deployment: Deployment, local_aws: LocalAws, tmp_path: Path
) -> None:
    before = _keys(deployment.client("s3"), pictures["OutputBucketName"])
    state = tmp_path / "state.json"
    command = [sys.executable, "-m", "console", "--local", str(local_aws.folder), "--state", str(state)]
    console = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        assert wait_for(lambda: _answers(state), seconds=30)
        url = f"http://127.0.0.1:{json.loads(state.read_text())['port']}"
        form = {"keys": f"{PREFIX}*", "children": "2", "again": "on"}
        answer = requests.post(f"{url}{PATH}/actions/submit", data=form, headers={"Origin": url}, timeout=30)
        assert "The job runs with 2 children." in answer.text
        started = psutil.Process(console.pid).children(recursive=True)
        assert len(started) >= 2
        console.send_signal(stop_signal)
        console.wait(20)
    finally:  # a failed test must not wait for a console that never ends
        console.kill()
        console.wait()
    assert psutil.wait_procs(started, timeout=30)[1] == []
    made = _keys(deployment.client("s3"), pictures["OutputBucketName"]) - before
    assert len(made) < PICTURES, "the job continued after the end of the console"


def _answers(state: Path) -> bool:
    try:
        port = json.loads(state.read_text())["port"]
        return requests.get(f"http://127.0.0.1:{port}/static/icon.svg", timeout=2).ok
    except (OSError, json.JSONDecodeError):
        return False
