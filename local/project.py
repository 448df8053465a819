"""The local AWS of this project: its container images, and the settings of the app on this machine."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from localaws import BaseImage, Engine, LocalAws, Settings, StandIn, container_tool
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


SETTINGS = Settings(
    project=str(ROOT),
    # The local load balancer notices immediately when a task stops. The load balancer of AWS needs some seconds.
    task_environment={"DRAIN_QUIET_SECONDS": "0.5", "DRAIN_LIMIT_SECONDS": "5"},
    stand_ins=(
        StandIn(
            image=base_image(),
            command=(sys.executable, "-m", "web"),
            environment={"PYTHONPATH": str(WEB)},
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
        "web_image": "",
        "watch_closely": "true",  # additional alarms cost nothing on this machine
        # The local AWS runs no jobs, so this public image replaces the batch image, and nothing is built.
        # local/batch_job.py runs the program of the job.
        "batch_image": base_image(),
        # Without a container tool no image can be built. The template then names a public image, and each task runs the
        # program in containers/web as a process.
        **({} if engine.tool else {"web_image": base_image(), "publish_web_image": "false"}),
    }
