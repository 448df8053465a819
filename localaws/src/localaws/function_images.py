"""Commands that run the environments of image functions: Lambda functions whose code is a container image."""

import contextlib
import contextvars
import secrets
import shlex
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws import run_environment
from localaws.container_tool import LABEL, Tool
from localaws.settings import StandIn
from localaws.task_runner import ImageError, Images, find_stand_in

USER = "65534:65534"
"""A user and a group without permissions. Lambda also chooses the user itself, and ignores USER in the Dockerfile."""
RUNTIME_VARIABLES = (
    *("AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"),
    "AWS_LAMBDA_LOG_STREAM_NAME",
)
"""The variables that every environment gets. The function's configuration has more variables.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
"""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One environment: how it starts and ends."""

    bootstrap: str
    """A shell script that runs the environment. The environment ends when the script gets SIGTERM."""
    variables: Mapping[str, str]
    """The variables of the function, and those of a stand-in."""


class FunctionImages:
    """The images of functions. An environment is a container, or a stand-in if there is no container tool."""

    def __init__(
        self,
        tool: Tool,
        folder: Path,
        stand_ins: Mapping[str, StandIn],
        images: Images,
        name_for_tool: Callable[[str], str],
    ) -> None:
        """`name_for_tool` returns the name that the container tool uses for an image in ECR."""
        self._tool = tool
        self._folder = folder
        self._stand_ins = stand_ins
        self._images = images
        self._name_for_tool = name_for_tool
        self._pulled: set[str] = set()

    def environment(self, function: Mapping[str, Any]) -> Environment:
        """Return a new environment for a function with this configuration. Raises ImageError if it cannot be run."""
        variables: dict[str, str] = (function.get("Environment") or {}).get("Variables") or {}
        if self._tool:
            name = f"function-{secrets.token_hex(8)}"
            if function["ImageUri"] not in self._pulled:
                self._pull(function["ImageUri"])
            command = self._container_command(name, function, [*RUNTIME_VARIABLES, *variables])
            return Environment(bootstrap=_script([*self._tool.command, "kill", name], command), variables=variables)
        stand_in = find_stand_in(self._stand_ins, function["ImageUri"])
        return Environment(bootstrap=_script([], [*stand_in.command]), variables={**variables, **stand_in.environment})

    def has_stand_in(self, image: str) -> bool:
        """Whether a stand-in runs in place of this image."""
        with contextlib.suppress(ImageError):
            return not self._tool and bool(find_stand_in(self._stand_ins, image))
        return False

    def _pull(self, image: str) -> None:
        self._images.pull(image)
        self._pulled.add(image)

    def pull_early(self, image: str) -> None:
        """Pull the image in the background, so that the first environment starts sooner. Ignore errors."""

        def pull() -> None:
            with contextlib.suppress(ImageError):  # the first environment reports it
                self._pull(image)

        if self._tool:
            context = contextvars.copy_context()  # the registry needs the account of the request
            threading.Thread(target=context.run, args=(pull,), daemon=True, name=f"pulling {image}").start()

    def _container_command(self, name: str, function: Mapping[str, Any], variables: list[str]) -> list[str]:
        configured: dict[str, Any] = (function.get("ImageConfigResponse") or {}).get("ImageConfig") or {}
        temporary_mb = function["EphemeralStorage"]["Size"]
        options = ["--rm", "--name", name, "--network", "host", "--label", f"{LABEL}={self._folder}", *self._tool.run]
        options += ["--read-only", "--tmpfs", f"/tmp:size={temporary_mb}m,mode=1777", "--user", USER]  # noqa: S108 - this is /tmp in the container
        for variable in variables:
            options += ["--env", variable]  # the container gets the value that the variable has in the script
        if self._tool.limits:
            options += ["--memory", f"{function['MemorySize']}m"]
        if directory := configured.get("WorkingDirectory"):
            options += ["--workdir", directory]
        program, *arguments = configured.get("EntryPoint") or [None]
        options += ["--entrypoint", program] if program else []
        arguments += configured.get("Command") or []
        return [*self._tool.command, "run", *options, self._name_for_tool(function["ImageUri"]), *arguments]


def _script(end_command: list[str], command: list[str]) -> str:
    parts = [sys.executable, "-I", str(run_environment.__file__), shlex.join(end_command), *command]
    return f"#!/bin/sh\nexec {shlex.join(parts)}\n"
