"""The page of the cron example: the uptime and the response times of each site, the next run, and the local site."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from console.account import LocalAccount
from console.examples import Example
from console.page import Action, ActionError, ExamplePage, Form
from console.schedules import gap_of_rate, next_run_of_cron, next_run_of_rate
from console.uptime import Result, Uptime
from local.project import SETTINGS

RESULTS = 200
"""The newest results of each site that the page shows. More results would not fit into the chart."""
TABLE_ROWS = 20
"""The newest results that the page shows as a table."""


class Page(ExamplePage):
    """Shows whether each site is up, and lets a person stop the local site."""

    template = "cron.html"

    def live(self, example: Example) -> Mapping[str, str]:
        """Return the switch, the schedule, the charts and the table of results."""
        schedule = self.account.client("scheduler").get_schedule(Name=example.outputs["ScheduleName"])
        urls = json.loads(schedule["Target"]["Input"])["urls"]
        sites = [self._uptime(example, url) for url in dict.fromkeys(urls)]
        waiting = [site.url for site in sites if not site.results]
        sites = [site for site in sites if site.results]
        newest = sorted(
            ((result, site.url) for site in sites for result in site.results),
            key=lambda pair: pair[0].scheduled_at,
            reverse=True,
        )
        parts = {
            "schedule": self.render("_cron_schedule.html", **self._schedule(example, schedule, sites)),
            "sites": self.render("_cron_sites.html", sites=sites, waiting=waiting, results=RESULTS),
            "results": self.render("_cron_results.html", newest=newest[:TABLE_ROWS], count=len(newest)),
        }
        if isinstance(self.account, LocalAccount):
            is_up = not self.account.aws.site_down_file.exists()
            parts["switch"] = self.render("_cron_switch.html", is_up=is_up, site=self.account.engine.site)
        return parts

    def actions(self) -> Mapping[str, Action]:
        """Return the action of the switch."""
        return {"switch": Action(self._switch)}

    def _uptime(self, example: Example, url: str) -> Uptime:
        items = self.account.client("dynamodb").query(
            TableName=example.outputs["ResultsTableName"],
            KeyConditionExpression="#url = :url",
            ExpressionAttributeNames={"#url": "url"},
            ExpressionAttributeValues={":url": {"S": url}},
            ScanIndexForward=False,
            Limit=RESULTS,
        )["Items"]
        return Uptime(url, [Result.from_item(item) for item in reversed(items)])

    def _schedule(self, example: Example, schedule: Mapping[str, Any], sites: Sequence[Uptime]) -> dict[str, Any]:
        queue = self.account.client("sqs").get_queue_attributes(
            QueueUrl=example.outputs["DeadLetterQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
        )
        return {
            "expression": schedule["ScheduleExpression"],
            "note": self._note(schedule),
            "next_run": self._next_run(schedule, sites),
            "dead_letters": int(queue["Attributes"]["ApproximateNumberOfMessages"]),
        }

    def _note(self, schedule: Mapping[str, Any]) -> str:
        if gap_of_rate(schedule["ScheduleExpression"], 60):
            return f"a minute lasts {SETTINGS.seconds_per_minute:g} s in the local AWS" if self.account.is_local else ""
        zone = schedule.get("ScheduleExpressionTimezone", "UTC")
        is_utc = zone in {"UTC", "Etc/UTC"}
        difference = ", but the local AWS always uses UTC" if self.account.is_local and not is_utc else ""
        return f"in the time zone {zone}{difference}"

    def _next_run(self, schedule: Mapping[str, Any], sites: Sequence[Uptime]) -> str:
        if schedule["State"] != "ENABLED":
            return "never, because the schedule is disabled"
        expression = schedule["ScheduleExpression"]
        window = timedelta(minutes=schedule["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 0))
        gap = gap_of_rate(expression, SETTINGS.seconds_per_minute if self.account.is_local else 60)
        if gap is None:
            zone = "UTC" if self.account.is_local else schedule.get("ScheduleExpressionTimezone", "UTC")
            return next_run_of_cron(expression, zone, window, datetime.now(UTC))
        if not sites:
            return "the first run has no result yet"
        return next_run_of_rate(max(site.last.scheduled_at for site in sites), gap, window, datetime.now(UTC))

    def _switch(self, _example: Example, form: Form) -> str:
        state = form.get("state")
        if not isinstance(self.account, LocalAccount) or state not in {"up", "down"}:
            raise ActionError("The local site can only be up or down.")
        if state == "down":
            self.account.aws.site_down_file.touch()
            return "The local site is down: it answers 503. The next check finds it down."
        self.account.aws.site_down_file.unlink(missing_ok=True)
        return "The local site is up again. The next check finds it up."
