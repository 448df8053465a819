"""The types that the exercises of all examples share. An exercise shows one example at work."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from localaws.aws import Engine, LocalAws


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalDeployment:
    """The local AWS with all deployed examples, and the photo of the person who runs `make local`."""

    aws: LocalAws
    engine: Engine
    photo: Path
    """The picture that the thumbnail exercise uploads."""
    stack_names: Mapping[str, str]
    """The names of the stacks, by the short name of the example. They begin with the setting `prefix`."""

    def client(self, service: str) -> Any:
        """Return a boto3 client of the local AWS."""
        return self.aws.client(service, self.engine)


class Exercise(Protocol):
    """The interface that the module of every example in this package has, such as local/cron.py."""

    TITLE: str
    """A short heading for the terminal."""

    def exercise(self, deployment: LocalDeployment, outputs: dict[str, str]) -> None:
        """Show the example at work and print the results. Raises LocalError if the example does not work."""

    def suggestions(self, deployment: LocalDeployment, outputs: dict[str, str]) -> list[str]:
        """Return shell commands that the person may try next."""
