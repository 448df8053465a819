"""Shows the cron example at work: the schedule fires by itself, and sees a site go down and come back."""

import shlex
import time
from typing import Any

from local.aws import LocalError
from local.environment import SECONDS_A_MINUTE
from local.scene import Scene

TITLE = f"a schedule checks a site every minute, and a minute lasts {SECONDS_A_MINUTE} s here"
PATIENCE_SECONDS = 30


def exercise(scene: Scene, outputs: dict[str, str]) -> None:
    """Wait for the schedule while the site is up, down, and up again. Raises LocalError if the results do not tell."""
    scene.aws.site_is_down.unlink(missing_ok=True)
    result = _next(scene, outputs, up=True)
    print(f"    the schedule fired by itself: {_told(result)}")
    scene.aws.site_is_down.touch()
    try:
        result = _next(scene, outputs, up=False)
        print(f"    the site is taken down:       {_told(result)}")
    finally:
        scene.aws.site_is_down.unlink()
    result = _next(scene, outputs, up=True)
    print(f"    and brought up again:         {_told(result)}")


def suggestions(scene: Scene, outputs: dict[str, str]) -> list[str]:
    """Commands to go on with."""
    return [
        f"touch {shlex.quote(str(scene.aws.site_is_down))}   # takes the site down, and rm brings it back",
        f"aws dynamodb scan --table-name {outputs['ResultsTableName']}",
        f"aws scheduler get-schedule --name {outputs['ScheduleName']}",
    ]


def _next(scene: Scene, outputs: dict[str, str], *, up: bool) -> dict[str, Any]:
    # The latest result may be of a moment before: the next is waited for.
    started = time.time()
    while time.time() < started + PATIENCE_SECONDS:
        found = scene.client("dynamodb").query(
            TableName=outputs["ResultsTableName"],
            KeyConditionExpression="#url = :url",
            ExpressionAttributeNames={"#url": "url"},
            ExpressionAttributeValues={":url": {"S": scene.engine.site}},
            ScanIndexForward=False,
            Limit=1,
        )["Items"]
        result = {name: next(iter(value.values())) for item in found for name, value in item.items()}
        if result.get("up") is up:
            return result
        time.sleep(0.1)
    raise LocalError(
        f"no result with up={up} for {scene.engine.site} after {PATIENCE_SECONDS} s, the last is {result or 'none'}. "
        f"What the function said is in {scene.aws.log}"
    )


def _told(result: dict[str, Any]) -> str:
    said = f"status {result['status']} after {result['milliseconds']} ms"
    return f"{result['scheduled_at']} up, {said}" if result["up"] else f"{result['scheduled_at']} down, {said}"
