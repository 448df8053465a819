"""The local AWS of this project: its container images, and the settings of the app on this machine."""

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from local import runtime_client
from localaws import BaseImage, Engine, LocalAws, Settings, StandIn, container_tool
from localaws.environment import ACCOUNT, REGION
from settings_checks import UTC

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".local"
"""The folder of the local AWS, if no command line names another one."""
PHOTO = ROOT / "local" / "photo.jpg"
"""A photo of a coffee cup by Rachel Michetti, courtesy of Pikolo Espresso Bar, license CC0."""
WEB = ROOT / "containers" / "web"
"""The folder of the web image. The container examples run this image."""


def base_image() -> str:
    """Return the name of the base image in the Dockerfile of the web image."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)", (WEB / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None  # noqa: S101 - a test checks every Dockerfile
    return found[1]


STAND_IN_IMAGE = "stand-in.invalid/web"
"""The name of the web image on a machine without a container tool. This image does not exist."""
FUNCTION_STAND_IN = "stand-in/function-image"
"""The name of the function's repository on a machine without a container tool. This repository does not exist.

The second part is the name of the image's folder in containers/, with dashes.
"""


def image_sources(image: str) -> tuple[Path, ...]:
    """Return the folders with the files of an image: those that the ignore file of its Dockerfile does not exclude.

    `image` is the name of its folder in containers/. The result is empty if the build context of the image is not the
    folder of the project, or if a fork has removed the image.
    """
    ignore_file = ROOT / "containers" / image / "Dockerfile.dockerignore"
    ignored = ignore_file.read_text(encoding="utf-8") if ignore_file.exists() else ""
    return tuple(ROOT / name for name in re.findall(r"^!((?:containers|lambda_src)/\w+)$", ignored, re.MULTILINE))


def stand_in_image(*folders: Path, name: str = STAND_IN_IMAGE) -> str:
    """Return the name with a digest that changes with each file in `folders`. Without folders, with each file of WEB.

    So a deployment replaces the running processes after a change of a file, as if it had built a new image.
    """
    digest = hashlib.sha256()
    for folder in folders or (WEB,):
        for file in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
            content = file.read_bytes()
            digest.update(f"{file.relative_to(folder)} {len(content)}\n".encode() + content)
    return f"{name}@sha256:{digest.hexdigest()}"


SETTINGS = Settings(
    project=str(ROOT),
    # The local load balancer notices immediately when a task stops. The load balancer of AWS needs some seconds.
    task_environment={"DRAIN_QUIET_SECONDS": "0.5", "DRAIN_LIMIT_SECONDS": "5"},
    stand_ins=(
        StandIn(
            image=STAND_IN_IMAGE,
            command=(sys.executable, "-m", "web"),
            environment={"PYTHONPATH": str(WEB)},
        ),
        StandIn(
            image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{FUNCTION_STAND_IN}",
            command=(sys.executable, "-m", runtime_client.__name__, "thumbnail.handler.handler"),
            environment={"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "lambda_src")])},
        ),
    ),
    base_image=BaseImage(
        image=base_image(),
        requirements=tuple(map(str, sorted((ROOT / "containers").glob("*/requirements.txt")))),
        cache=str(ROOT / ".build"),
    ),
)


def local_aws(folder: Path) -> LocalAws:
    """Return a local AWS for this project. It writes its files into `folder`."""
    return LocalAws(folder, SETTINGS)


def context(engine: Engine) -> Mapping[str, str]:
    """Return the settings whose values on this machine are not the values of config.py."""
    return {
        "cron_urls": engine.site,
        "cron_schedule": "rate(1 minute)",
        "cron_allow_private": "true",
        # A rate(...) schedule needs the next two values. config.py may have other values, for a cron(...) schedule.
        "cron_longest_gap": "",
        "cron_time_zone": UTC,
        "architecture": container_tool.architecture(),
        "batch_instance_types": "",  # the types in config.py may have another architecture
        # The local AWS has none of these resources of an account.
        "vpc": "",
        "availability_zones": "",
        "web_certificate_arn": "",
        "api_domain_name": "",
        "api_certificate_arn": "",
        "api_base_path": "",
        "web_image": "",
        "function_image_name": "",
        "watch_closely": "true",  # additional alarms cost nothing on this machine
        # The local AWS runs no jobs, so this public image replaces the batch image, and nothing is built.
        # local/batch_job.py runs the program of the job.
        "batch_image": base_image(),
        # Without a container tool no image can be built. The templates then name images that do not exist, and each
        # task and each image function runs as a process.
        **({} if engine.tool else _stand_in_settings()),
    }


def _stand_in_settings() -> dict[str, str]:
    return {
        "web_image": stand_in_image(),
        "publish_web_image": "false",
        "function_image_name": stand_in_image(*image_sources("function_image"), name=FUNCTION_STAND_IN),
    }


def shown_path(file: Path) -> str:
    """Return a path for a person: relative to the current folder if the file is in it. Such a path is short."""
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)
