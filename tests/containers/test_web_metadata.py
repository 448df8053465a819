"""These tests read a fake task metadata endpoint. The endpoint gives the answers that AWS's documentation shows."""

import asyncio
import threading
import time
from typing import Any

import pytest

from tests.containers.servers import example_answers, example_metadata, run_metadata_endpoint
from web.metadata import TIMEOUT_SECONDS, TaskInfo, TaskInfoReader, task_info_of


def example_task_info(name: str) -> TaskInfo:
    example = example_metadata(name)
    return task_info_of(example["task"], example["container"])


def test_the_information_about_a_task_on_fargate_is_correct() -> None:
    info = example_task_info("fargate")
    assert (info.on_ecs, info.problem, info.launch_type) == (True, None, "FARGATE")
    assert info.cluster == "MyEmptyCluster", "the cluster must have its name, not its ARN"
    assert info.task == "bfa2636268144d039771334145e490c5"
    assert info.task_definition == "sample-fargate:5"
    assert info.availability_zone == "us-east-1d"
    assert (info.vcpu, info.memory_mib) == (0.25, 512), "the limits must be those of the task, not of the container"
    assert info.image == "public.ecr.aws/docker/library/httpd:latest"


def test_the_information_about_a_task_on_ec2_is_correct() -> None:
    info = example_task_info("ec2")
    assert (info.on_ecs, info.problem, info.launch_type) == (True, None, "EC2")
    assert info.cluster == "default"
    assert info.task == "158d1c8083dd49d6b527399fd6414f5c"
    assert info.task_definition == "curltest:26"
    assert info.availability_zone == "us-west-2d"
    # This task has no limits, but its container has 10 CPU units. 1024 CPU units are one vCPU.
    assert (info.vcpu, info.memory_mib) == (0.01, 128)
    assert info.image == "curltest:latest"


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        (
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com/cdk-hnb659fds-assets-111122223333-eu-west-1:ab12",
            "cdk-hnb659fds-assets-…-eu-west-1:ab12",
        ),
        ("111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/web:202611281530", "team/web:202611281530"),
        ("111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:of-111122223333", "web:of-…"),
        ("111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/web:1", "web:1"),
        ("111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com/web:1", "web:1"),
        ("111122223333.dkr-ecr.eu-west-1.on.aws/web:1", "web:1"),
        ("111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu/web:1", "web:1"),
        ("111122223333.dkr.ecr.us-east-1.localhost:4566/web:1", "web:1"),
        ("111122223333.dkr.ecr.us-east-1.amazonaws.com/web@sha256:9111122223333a", "web@sha256:9111122223333a"),
        ("localhost:5000/web:202611281530", "localhost:5000/web:202611281530"),
        ("public.ecr.aws/a1b2/web:202611281530", "public.ecr.aws/a1b2/web:202611281530"),
        ("web:202611281530", "web:202611281530"),
    ],
)
def test_the_name_of_the_image_does_not_contain_the_account_id_of_its_registry(image: str, shown: str) -> None:
    assert task_info_of({}, {"Image": image}).image == shown


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"CPU": 0, "Memory": 0}, (None, None)),
        ({}, (None, None)),
        (None, (None, None)),
        ({"CPU": "x", "Memory": []}, (None, None)),
        ({"CPU": 256, "Memory": 64}, (0.25, 64)),
    ],
)
def test_missing_or_invalid_limits_are_unknown(limits: Any, expected: tuple[float | None, int | None]) -> None:
    info = task_info_of({"LaunchType": "EC2"}, {"Limits": limits})
    assert (info.vcpu, info.memory_mib) == expected


def test_missing_or_invalid_fields_are_unknown() -> None:
    invalid = dict.fromkeys(example_metadata("fargate")["task"], 7)
    for task in ({}, invalid):
        info = task_info_of(task, {})
        assert (info.task, info.cluster, info.task_definition, info.launch_type) == (None, None, None, None)
        assert info.identity == info.hostname


def test_outside_ecs_the_reader_reads_no_endpoint() -> None:
    info = asyncio.run(TaskInfoReader(None).read())
    assert (info.on_ecs, info.problem) == (False, None)
    assert info.identity == info.hostname


def test_simultaneous_requests_read_the_endpoint_only_once() -> None:
    requested_paths = []
    answers = example_answers("fargate")

    def answer_and_record(path: str) -> bytes:
        requested_paths.append(path)
        return answers(path)

    async def read_many_times(endpoint: str) -> set[TaskInfo]:
        reader = TaskInfoReader(endpoint)
        return {*await asyncio.gather(*[reader.read() for _ in range(20)]), await reader.read()}

    with run_metadata_endpoint(answer_and_record) as endpoint:
        assert asyncio.run(read_many_times(endpoint)) == {example_task_info("fargate")}
    assert len(requested_paths) == 2, "the reader must send one request for the task and one for the container"


@pytest.mark.parametrize("invalid_answer", [b"", b"not JSON", b"[]", b'"text"', b"\xff\xfe", b"{" * 1_000_000])
def test_an_invalid_answer_is_reported_and_the_endpoint_is_read_again_later(invalid_answer: bytes) -> None:
    answers, is_repaired = example_answers("ec2"), threading.Event()

    async def read_three_times(endpoint: str) -> tuple[TaskInfo, TaskInfo, TaskInfo]:
        reader = TaskInfoReader(endpoint)
        first = await reader.read()
        is_repaired.set()
        second = await reader.read()
        reader._expires = 0
        return first, second, await reader.read()

    with run_metadata_endpoint(lambda path: answers(path) if is_repaired.is_set() else invalid_answer) as endpoint:
        first, second, third = asyncio.run(read_three_times(endpoint))
    assert first.on_ecs
    assert first.problem
    assert second is first, "the reader must store a failure for some seconds, so that other requests do not wait"
    assert third == example_task_info("ec2")


def test_the_reader_stops_waiting_for_an_endpoint_that_does_not_answer() -> None:
    test_has_ended = threading.Event()

    def wait_before_answer(_path: str) -> bytes:
        test_has_ended.wait()
        return b"{}"

    with run_metadata_endpoint(wait_before_answer) as endpoint:
        started = time.monotonic()
        info = asyncio.run(TaskInfoReader(endpoint).read())
        duration = time.monotonic() - started
        test_has_ended.set()
    assert info.problem == "the task metadata endpoint did not answer (TimeoutError)"
    assert duration < 5 * TIMEOUT_SECONDS


def test_a_closed_port_is_reported() -> None:
    assert asyncio.run(TaskInfoReader("http://127.0.0.1:9/v4/x").read()).problem
