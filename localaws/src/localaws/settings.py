"""The settings of a local AWS. They contain all information about the project that uses this local AWS."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class StandIn:
    """A command that runs in place of a container image on a machine without a container tool."""

    image: str
    """The name of the image in the task definition. A name without a tag means the image with any digest."""
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Additional variables for the command. A container of the image would not get them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseImage:
    """The base image of the project's Dockerfiles. If its registry does not answer, localaws makes a similar image."""

    image: str
    """The name of the real base image."""
    build_argument: str = "BASE_IMAGE"
    """The ARG in the Dockerfiles whose value is the name of the base image."""
    requirements: tuple[str, ...] = ()
    """Requirements files with exact versions and hashes. The similar image contains these packages as wheels, because a
    build without network cannot download them."""
    cache: str
    """The folder that stores the similar image for later runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The information about a project that its local AWS needs."""

    project: str = field(default_factory=lambda: str(Path.cwd()))
    """The folder of the CDK app. The CDK CLI is in its `node_modules`, and runs in this folder."""
    seconds_per_minute: float = 3
    """Real seconds for each minute of a `rate(...)` schedule or a health check. A small number shows results sooner."""
    sign_ins_per_second: int = 120
    """Sign-in requests that Cognito answers in a second. The default is the default quota of AWS."""
    task_environment: Mapping[str, str] = field(default_factory=dict)
    """Variables for every ECS task. They replace variables with the same name in its task definition."""
    stand_ins: tuple[StandIn, ...] = ()
    """Commands that run in place of images on a machine without a container tool."""
    base_image: BaseImage | None = None

    def __post_init__(self) -> None:
        if self.sign_ins_per_second < 1:
            message = "sign_ins_per_second must be at least 1"
            raise ValueError(message)

    def to_json(self) -> str:
        """Return the settings as JSON text, which another process can read."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """Return settings from the output of `to_json`."""
        values = json.loads(text)
        stand_ins = tuple(StandIn(**{**item, "command": tuple(item["command"])}) for item in values.pop("stand_ins"))
        base = values.pop("base_image")
        base_image = base and BaseImage(**{**base, "requirements": tuple(base["requirements"])})
        return cls(**values, stand_ins=stand_ins, base_image=base_image)
