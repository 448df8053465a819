"""Reading the metadata endpoint, with the answers from AWS's documentation."""

import asyncio
import threading
import time
from typing import Any

import pytest

from tests.containers.servers import answers, metadata, sample
from web import metadata as module
from web.metadata import Locator, Place, place_of


def place_of_sample(name: str) -> Place:
    found = sample(name)
    return place_of(found["task"], found["container"])


def test_the_place_of_a_task_on_fargate() -> None:
    place = place_of_sample("fargate")
    assert (place.on_ecs, place.problem, place.launch_type) == (True, None, "FARGATE")
    assert place.cluster == "MyEmptyCluster", "the name of the cluster, not its ARN"
    assert place.task == "bfa2636268144d039771334145e490c5"
    assert place.task_definition == "sample-fargate:5"
    assert place.availability_zone == "us-east-1d"
    assert (place.vcpu, place.memory_mib) == (0.25, 512), "the limits of the task, not the container's 2 units"
    assert place.image == "public.ecr.aws/docker/library/httpd:latest"


def test_the_place_of_a_task_on_ec2() -> None:
    place = place_of_sample("ec2")
    assert (place.on_ecs, place.problem, place.launch_type) == (True, None, "EC2")
    assert place.cluster == "default"
    assert place.task == "158d1c8083dd49d6b527399fd6414f5c"
    assert place.task_definition == "curltest:26"
    assert place.availability_zone == "us-west-2d"
    assert (place.vcpu, place.memory_mib) == (0.01, 128), "the container's 10 of 1024 units, as the task has no limits"
    assert place.image == "curltest:latest"


def test_the_account_id_is_removed_from_the_image() -> None:
    container = {
        "Image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/cdk-hnb659fds-assets-111122223333-eu-west-1:ab12"
    }
    assert place_of({}, container).image == "cdk-hnb659fds-assets-…-eu-west-1:ab12"


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
def test_missing_or_strange_limits_are_unknown(limits: Any, expected: tuple[float | None, int | None]) -> None:
    place = place_of({"LaunchType": "EC2"}, {"Limits": limits})
    assert (place.vcpu, place.memory_mib) == expected


def test_missing_or_strange_fields_are_unknown() -> None:
    strange = dict.fromkeys(sample("fargate")["task"], 7)
    for task in ({}, strange):
        place = place_of(task, {})
        assert (place.task, place.cluster, place.task_definition, place.launch_type) == (None, None, None, None)
        assert place.identity == place.hostname


def test_outside_ecs_no_endpoint_is_read() -> None:
    place = asyncio.run(Locator(None).place())
    assert (place.on_ecs, place.problem) == (False, None)
    assert place.identity == place.hostname


def test_many_requests_at_once_read_the_endpoint_once() -> None:
    asked = []
    of_sample = answers("fargate")

    def answer(path: str) -> bytes:
        asked.append(path)
        return of_sample(path)

    async def ask(endpoint: str) -> set[Place]:
        locator = Locator(endpoint)
        return {*await asyncio.gather(*[locator.place() for _ in range(20)]), await locator.place()}

    with metadata(answer) as endpoint:
        assert asyncio.run(ask(endpoint)) == {place_of_sample("fargate")}
    assert len(asked) == 2, "one read of the task and one of the container"


@pytest.mark.parametrize("broken", [b"", b"not JSON", b"[]", b'"text"', b"\xff\xfe", b"{" * 1_000_000])
def test_a_broken_answer_is_reported_and_read_again_later(broken: bytes) -> None:
    of_sample, is_repaired = answers("ec2"), threading.Event()

    async def ask(endpoint: str) -> tuple[Place, Place, Place]:
        locator = Locator(endpoint)
        first = await locator.place()
        is_repaired.set()
        second = await locator.place()
        locator._expires = 0
        return first, second, await locator.place()

    with metadata(lambda path: of_sample(path) if is_repaired.is_set() else broken) as endpoint:
        first, second, third = asyncio.run(ask(endpoint))
    assert first.on_ecs
    assert first.problem
    assert second is first, "a failure is kept for some seconds, so that no other request waits for the endpoint"
    assert third == place_of_sample("ec2")


def test_an_endpoint_that_hangs_times_out() -> None:
    end = threading.Event()

    def hang(_path: str) -> bytes:
        end.wait()
        return b"{}"

    with metadata(hang) as endpoint:
        started = time.monotonic()
        place = asyncio.run(Locator(endpoint).place())
        took = time.monotonic() - started
        end.set()
    assert place.problem == "the task metadata endpoint did not answer (TimeoutError)"
    assert took < 5 * module.TIMEOUT_SECONDS


def test_a_closed_port_is_reported() -> None:
    assert asyncio.run(Locator("http://127.0.0.1:9/v4/x").place()).problem
