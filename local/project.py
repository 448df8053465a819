"""The local AWS of this project: the images and their base, and the settings of the app on this machine."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from localaws import BaseImage, Engine, LocalAws, Settings, StandIn, container_tool

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "containers" / "web"
"""The image that the container examples run."""


def base_image() -> str:
    """Return the name of the image that the Dockerfile of the web image builds on."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)", (WEB / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None  # noqa: S101 - a test holds it
    return found[1]


SETTINGS = Settings(
    project=str(ROOT),
    # The local load balancer notices at once when a task leaves; AWS's takes seconds.
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
    """Return the local AWS of this project whose files are in `folder`."""
    return LocalAws(folder, SETTINGS)


def context(engine: Engine) -> Mapping[str, str]:
    """Return the settings that differ from config.py here. Only settings differ: the templates are AWS's."""
    return {
        "cron_urls": engine.site,
        "cron_schedule": "rate(1 minute)",
        "cron_allow_private": "true",
        "architecture": container_tool.architecture(),
        "watch_closely": "true",  # it costs nothing here
        # No job runs its image here, so no image is built: this names one that AWS has. The program itself is tested.
        "batch_image": base_image(),
        # Without a container tool no image can be built. This names one that AWS has; containers/web runs in its place.
        **({} if engine.tool else {"web_image": base_image(), "publish_web_image": "false"}),
    }
