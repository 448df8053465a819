"""What an exercise of a deployed example has at hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from localaws.aws import Engine, LocalAws


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """The local AWS with everything deployed, and what the person gave."""

    aws: LocalAws
    engine: Engine
    photo: Path
    """A picture to upload."""

    def client(self, service: str) -> Any:
        """A boto3 client of the local AWS."""
        return self.aws.client(service, self.engine)


class Example(Protocol):
    """What a module of this package offers for the example of its name."""

    TITLE: str
    """What is about to be shown, in a few words."""

    def exercise(self, scene: Scene, outputs: dict[str, str]) -> None:
        """Show the example at work and say where to look. Raises LocalError when it does not work."""

    def suggestions(self, scene: Scene, outputs: dict[str, str]) -> list[str]:
        """Shell commands to go on with."""
