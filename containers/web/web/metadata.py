"""Reads where this process runs from version 4 of ECS's task metadata endpoint.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html
"""

import asyncio
import http.client
import json
import re
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from platform import machine, python_version, system
from socket import gethostname
from typing import Any

TIMEOUT_SECONDS = 1
"""Short, because the endpoint is on the same host."""
RETRY_SECONDS = 5
"""Time before a failed endpoint is tried again, so that one that hangs does not slow down every page."""
MAX_BYTES = 256 * 1024
"""Far above the largest answer: a task of ten containers, the maximum, has about 20 KB."""
CPU_UNITS = 1024
"""CPU units of one virtual CPU. The limits of containers are given in these units."""

_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, kw_only=True)
class Place:
    """The place where this process runs. Unknown values are None."""

    on_ecs: bool
    problem: str | None = None
    launch_type: str | None = None
    cluster: str | None = None
    task: str | None = None
    task_definition: str | None = None
    availability_zone: str | None = None
    vcpu: float | None = None
    memory_mib: int | None = None
    image: str | None = None
    hostname: str = gethostname()
    platform: str = f"{system()} {machine()}"
    python: str = python_version()

    @property
    def identity(self) -> str:
        """The id of this task, or outside ECS the name of this machine."""
        return self.task or self.hostname


class Locator:
    """Reads where this process runs at the first request, and keeps the answer."""

    def __init__(self, endpoint: str | None) -> None:
        self._endpoint = endpoint
        self._place: Place | None = None
        self._expires = 0.0
        self._lock = asyncio.Lock()  # requests during the read wait for the same answer

    async def place(self) -> Place:
        """Return where this process runs. If the endpoint fails, `problem` says so."""
        async with self._lock:
            if self._place is None or time.monotonic() > self._expires:
                self._place = await self._look()
                self._expires = time.monotonic() + (RETRY_SECONDS if self._place.problem else float("inf"))
            return self._place

    async def _look(self) -> Place:
        if self._endpoint is None:
            return Place(on_ecs=False)
        try:
            task, container = await asyncio.gather(
                asyncio.to_thread(_fetch, f"{self._endpoint}/task"), asyncio.to_thread(_fetch, self._endpoint)
            )
        except (OSError, ValueError, http.client.HTTPException) as error:
            return Place(on_ecs=True, problem=f"the task metadata endpoint did not answer ({type(error).__name__})")
        return place_of(task, container)


def _fetch(url: str) -> Mapping[str, Any]:
    with _direct.open(url, timeout=TIMEOUT_SECONDS) as response:
        found = json.loads(response.read(MAX_BYTES))
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - the same error as for invalid JSON
    return found


def place_of(task: Mapping[str, Any], container: Mapping[str, Any]) -> Place:
    """Return the place that the endpoint's two answers describe: the task, and this container in it."""
    family, revision = _text(task, "Family"), _text(task, "Revision")
    of_task, of_container = _limits(task), _limits(container)
    return Place(
        on_ecs=True,
        launch_type=_text(task, "LaunchType"),
        cluster=_short(_text(task, "Cluster")),
        task=_short(_text(task, "TaskARN")),
        task_definition=f"{family}:{revision}" if family and revision else family,
        availability_zone=_text(task, "AvailabilityZone"),
        # A task's limit is in virtual CPUs, a container's in CPU units. Without a limit the value is 0 or missing.
        vcpu=_number(of_task, "CPU") or _vcpu(_number(of_container, "CPU")),
        memory_mib=_whole(_number(of_task, "Memory") or _number(of_container, "Memory")),
        image=_without_account(_text(container, "Image")),
    )


def _text(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) and value else None


def _number(values: Mapping[str, Any], name: str) -> float | None:
    value = values.get(name)
    return value if isinstance(value, int | float) and value > 0 else None


def _limits(values: Mapping[str, Any]) -> Mapping[str, Any]:
    limits = values.get("Limits")
    return limits if isinstance(limits, dict) else {}


def _vcpu(units: float | None) -> float | None:
    return units and round(units / CPU_UNITS, 3)


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def _short(name: str | None) -> str | None:
    # The endpoint names the cluster by its ARN on Fargate and by its name on EC2. A task's ARN ends with its id.
    return name and name.rpartition("/")[2]


def _without_account(image: str | None) -> str | None:
    # The page is public, and the account id is in the registry's host name and in the name of CDK's repository.
    return image and _ACCOUNT.sub("…", image.partition("/")[2] if ".amazonaws.com" in image else image)
