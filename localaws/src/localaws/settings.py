"""The settings of a local AWS: all that it needs to know about the project that uses it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class StandIn:
    """A command that runs in place of a container image on a machine without a container tool."""

    image: str
    """The name of the image, as in the task definition."""
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables for the command alone, beside those of the task."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseImage:
    """The base image of the project's Dockerfiles, which is made on this machine if its registry cannot be reached."""

    image: str
    """The name of the real one."""
    build_argument: str = "BASE_IMAGE"
    """The ARG of the Dockerfiles that names the base image."""
    requirements: tuple[str, ...] = ()
    """Files with locked requirements, whose wheels the base image holds because a build has no network."""
    cache: str
    """The folder that keeps the base image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The facts about a project that its local AWS needs."""

    project: str = field(default_factory=lambda: str(Path.cwd()))
    """The folder of the CDK app. The CDK CLI is run there, from its `node_modules`."""
    seconds_per_minute: float = 3
    """The length of a minute for `rate(...)` schedules and health checks, because nobody wants to wait an hour."""
    task_environment: Mapping[str, str] = field(default_factory=dict)
    """Variables for every ECS task, beside those of its definition."""
    stand_ins: tuple[StandIn, ...] = ()
    base_image: BaseImage | None = None

    def to_json(self) -> str:
        """Return all settings as text, for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """Return the settings that `to_json` wrote."""
        values = json.loads(text)
        stand_ins = tuple(StandIn(**{**one, "command": tuple(one["command"])}) for one in values.pop("stand_ins"))
        base = values.pop("base_image")
        base_image = base and BaseImage(**{**base, "requirements": tuple(base["requirements"])})
        return cls(**values, stand_ins=stand_ins, base_image=base_image)
