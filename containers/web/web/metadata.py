"""Reads information about the ECS task that runs this process, from version 4 of the task metadata endpoint.

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
"""Time limit of a request. It is short, because the endpoint is on the same host."""
RETRY_SECONDS = 5
"""Time between a failed read and the next read. If the endpoint does not answer, only some requests have to wait."""
MAX_BYTES = 256 * 1024
"""Maximum size of an answer. A task of ten containers, the maximum of ECS, has an answer of only about 20 KB."""
CPU_UNITS_PER_VCPU = 1024
"""The endpoint gives the CPU limit of a container in CPU units."""

_ECR_IMAGE = re.compile(r"(?P<account>\d{12})\.dkr[.-]ecr[^/]*/(?P<name>[^@]*)(?P<digest>.*)")
"""An image of a private ECR registry. This pattern covers the host names of all partitions, of FIPS and of IPv6:
https://docs.aws.amazon.com/general/latest/gr/ecr.html"""
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, kw_only=True)
class TaskInfo:
    """Information about the ECS task and the machine that run this process. Unknown values are None."""

    on_ecs: bool
    problem: str | None = None
    """The reason why the task metadata endpoint could not be read."""
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


class TaskInfoReader:
    """Reads the task metadata endpoint at the first request, and stores the result for later requests."""

    def __init__(self, endpoint: str | None) -> None:
        self._endpoint = endpoint
        self._task_info: TaskInfo | None = None
        self._expires = 0.0
        self._lock = asyncio.Lock()  # requests that arrive during a read wait for its result

    async def read(self) -> TaskInfo:
        """Return the information about the task. If the endpoint fails, `problem` contains the reason."""
        async with self._lock:
            if self._task_info is None or time.monotonic() > self._expires:
                self._task_info = await self._read_endpoint()
                self._expires = time.monotonic() + (RETRY_SECONDS if self._task_info.problem else float("inf"))
            return self._task_info

    async def _read_endpoint(self) -> TaskInfo:
        if self._endpoint is None:
            return TaskInfo(on_ecs=False)
        try:
            task, container = await asyncio.gather(
                asyncio.to_thread(_fetch, f"{self._endpoint}/task"), asyncio.to_thread(_fetch, self._endpoint)
            )
        except (OSError, ValueError, http.client.HTTPException) as error:
            return TaskInfo(on_ecs=True, problem=f"the task metadata endpoint did not answer ({type(error).__name__})")
        return task_info_of(task, container)


def _fetch(url: str) -> Mapping[str, Any]:
    with _direct.open(url, timeout=TIMEOUT_SECONDS) as response:
        found = json.loads(response.read(MAX_BYTES))
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - invalid JSON also raises ValueError
    return found


def task_info_of(task: Mapping[str, Any], container: Mapping[str, Any]) -> TaskInfo:
    """Return the information in two answers of the endpoint: one about the task, and one about this container."""
    family, revision = _text(task, "Family"), _text(task, "Revision")
    task_limits, container_limits = _limits(task), _limits(container)
    return TaskInfo(
        on_ecs=True,
        launch_type=_text(task, "LaunchType"),
        cluster=_last_part(_text(task, "Cluster")),
        task=_last_part(_text(task, "TaskARN")),
        task_definition=f"{family}:{revision}" if family and revision else family,
        availability_zone=_text(task, "AvailabilityZone"),
        # The CPU limit of a task is in vCPUs. The CPU limit of a container is in CPU units. A missing limit or 0 means
        # that there is no limit.
        vcpu=_number(task_limits, "CPU") or _vcpu(_number(container_limits, "CPU")),
        memory_mib=_rounded(_number(task_limits, "Memory") or _number(container_limits, "Memory")),
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
    return units and round(units / CPU_UNITS_PER_VCPU, 3)


def _rounded(number: float | None) -> int | None:
    return None if number is None else round(number)


def _last_part(name: str | None) -> str | None:
    # On Fargate the answer contains the ARN of the cluster, on EC2 only its name. The ARN of a task ends with its id.
    return name and name.rpartition("/")[2]


def _without_account(image: str | None) -> str | None:
    # The page is public, so it must not show the account id. The host name of the registry and the name of CDK's
    # repository contain the account id. Other numbers of twelve digits, such as the time in a tag, are kept.
    found = _ECR_IMAGE.fullmatch(image or "")
    if not found:
        return image
    return re.sub(rf"(?<!\d){found['account']}(?!\d)", "…", found["name"]) + found["digest"]
