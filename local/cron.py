"""Shows the cron example at work: the schedule fires by itself, and sees a site go down and come back."""

import shlex
import time
from typing import Any

from local.project import SETTINGS
from local.scene import Scene
from localaws.aws import LocalError

TITLE = f"a schedule checks a site every minute, and a minute lasts {SETTINGS.seconds_a_minute} s here"
PATIENCE_SECONDS = 30


def exercise(scene: Scene, outputs: dict[str, str]) -> None:
    """Wait for the schedule while the site is up, down, and up again. Raises LocalError if the results do not tell."""
    site_down_file = scene.aws.site_down_file
    site_down_file.unlink(missing_ok=True)
    latest = _latest(scene, outputs)
    result = _next(scene, outputs, after=latest, up=True)
    print(f"    the schedule fired by itself: {_told(result)}")
    site_down_file.touch()
    try:
        result = _next(scene, outputs, after=result, up=False)
        print(f"    the site is taken down:       {_told(result)}")
    finally:
        site_down_file.unlink()
    result = _next(scene, outputs, after=result, up=True)
    print(f"    and brought up again:         {_told(result)}")


def suggestions(scene: Scene, outputs: dict[str, str]) -> list[str]:
    """Commands to go on with."""
    down = shlex.quote(str(scene.aws.site_down_file))
    return [
        f"touch {down}   # takes down the site, which is checked until make local-down; rm brings it back",
        f"aws dynamodb scan --table-name {outputs['ResultsTableName']}",
        f"aws scheduler get-schedule --name {outputs['ScheduleName']}",
    ]


def _next(scene: Scene, outputs: dict[str, str], *, after: dict[str, Any], up: bool) -> dict[str, Any]:
    # A run may have been under way when the site changed, so that the first one afterwards is not the one.
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        result = _latest(scene, outputs)
        if result.get("scheduled_at", "") > after.get("scheduled_at", "") and result["up"] is up:
            return result
        time.sleep(0.1)
    raise LocalError(
        f"the schedule stored no result with up={up} for {scene.engine.site} within {PATIENCE_SECONDS} s; the last is "
        f"{_latest(scene, outputs) or 'none'}. What the function said is in {scene.aws.log}"
    )


def _latest(scene: Scene, outputs: dict[str, str]) -> dict[str, Any]:
    found = scene.client("dynamodb").query(
        TableName=outputs["ResultsTableName"],
        KeyConditionExpression="#url = :url",
        ExpressionAttributeNames={"#url": "url"},
        ExpressionAttributeValues={":url": {"S": scene.engine.site}},
        ScanIndexForward=False,
        Limit=1,
    )["Items"]
    return {name: next(iter(value.values())) for item in found for name, value in item.items()}


def _told(result: dict[str, Any]) -> str:
    state = "up" if result["up"] else f"down, {result['error']},"
    return f"{result['scheduled_at']} {state} after {result['milliseconds']} ms"
