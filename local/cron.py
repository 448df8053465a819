"""Shows the cron example at work. The schedule checks a site while the site is up, while it is down, and up again."""

import shlex
from typing import Any

from local.deployment import LocalDeployment
from local.project import SETTINGS
from local.waiting import wait_for
from localaws.aws import LocalError

TITLE = f"a schedule checks a site every minute (a minute lasts {SETTINGS.seconds_per_minute} s here)"
PATIENCE_SECONDS = 90


def exercise(deployment: LocalDeployment, outputs: dict[str, str]) -> None:
    """Wait for three results: while the site is up, while it is down, and when it is up again.

    Raises LocalError if a result is missing after PATIENCE_SECONDS.
    """
    site_down_file = deployment.aws.site_down_file
    site_down_file.unlink(missing_ok=True)
    result = _next_result(deployment, outputs, after=_latest_result(deployment, outputs), up=True)
    print(f"    the schedule ran by itself:   {_summary(result)}")
    site_down_file.touch()
    try:
        result = _next_result(deployment, outputs, after=result, up=False)
        print(f"    the site was stopped:         {_summary(result)}")
    finally:
        site_down_file.unlink()
    result = _next_result(deployment, outputs, after=result, up=True)
    print(f"    the site was started again:   {_summary(result)}")


def suggestions(deployment: LocalDeployment, outputs: dict[str, str]) -> list[str]:
    """Return shell commands that the person may try next."""
    down = shlex.quote(str(deployment.aws.site_down_file))
    return [
        f"touch {down}   # stops the site; rm starts it again. The checks continue until make local-down",
        f"aws dynamodb scan --table-name {outputs['ResultsTableName']} --max-items 3",
        f"aws scheduler get-schedule --name {outputs['ScheduleName']}",
    ]


def _next_result(
    deployment: LocalDeployment, outputs: dict[str, str], *, after: dict[str, Any], up: bool
) -> dict[str, Any]:
    def new_result() -> dict[str, Any] | None:
        # A run that began before the site changed still stores the old state. Such a result is ignored.
        result = _latest_result(deployment, outputs)
        is_new = result.get("scheduled_at", "") > after.get("scheduled_at", "")
        return result if is_new and result["up"] is up else None

    result = wait_for(new_result, seconds=PATIENCE_SECONDS)
    if result is None:
        raise LocalError(
            f"the schedule stored no result with up={up} for {deployment.engine.site} within {PATIENCE_SECONDS} s. "
            f"The last result is {_latest_result(deployment, outputs) or 'none'}. "
            f"The function's log is in {deployment.aws.log_file}"
        )
    return result


def _latest_result(deployment: LocalDeployment, outputs: dict[str, str]) -> dict[str, Any]:
    items = deployment.client("dynamodb").query(
        TableName=outputs["ResultsTableName"],
        KeyConditionExpression="#url = :url",
        ExpressionAttributeNames={"#url": "url"},
        ExpressionAttributeValues={":url": {"S": deployment.engine.site}},
        ScanIndexForward=False,
        Limit=1,
    )["Items"]
    return {name: next(iter(value.values())) for item in items for name, value in item.items()}


def _summary(result: dict[str, Any]) -> str:
    state = "up" if result["up"] else f"down, {result['error']},"
    return f"{result['scheduled_at']} {state} after {result['milliseconds']} ms"
