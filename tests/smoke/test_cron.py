"""These tests check the runs of the deployed cron example: runs of its schedule, and runs that the tests start.

They run in an account, or in the local AWS, a program that imitates AWS on this machine.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Self

import pytest

from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(900)  # AWS may need some minutes
FIRST_RUN_SECONDS = 420
"""A new rate(...) schedule starts its first run within its flexible window, which is five minutes long."""


@dataclass
class CronExample:
    """The schedule, the function and its table.

    Runs that the tests start have a random time in the past as `scheduled_at`, so no other run has the same time.
    """

    lambda_: Any
    dynamodb: Any
    scheduler: Any
    outputs: dict[str, str]
    scheduled_at: str = field(
        default_factory=lambda: (
            (
                datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=random.randrange(10**8))  # noqa: S311 - this random number is not a secret
            ).strftime("%Y-%m-%dT%H:%M:%SZ")
        )
    )

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        client = deployment.client
        return cls(client("lambda"), client("dynamodb"), client("scheduler"), deployment.outputs("cron"))

    def urls(self) -> list[str]:
        """Return the URLs that the schedule checks."""
        schedule = self.scheduler.get_schedule(Name=self.outputs["ScheduleName"])
        return list(json.loads(schedule["Target"]["Input"])["urls"])

    def run(self, *urls: str) -> Any:
        """Invoke the function as the schedule does, and return its answer."""
        answer = self.lambda_.invoke(
            FunctionName=self.outputs["FunctionName"],
            Payload=json.dumps({"scheduled_at": self.scheduled_at, "urls": list(urls)}),
        )
        result = json.load(answer["Payload"])
        assert "FunctionError" not in answer, result
        return result

    def item(self, url: str, scheduled_at: str | None = None) -> dict[str, Any] | None:
        """Return the item of a run, or None if there is none. The default run is the run that this test started."""
        key = {"url": {"S": url}, "scheduled_at": {"S": scheduled_at or self.scheduled_at}}
        found = self.dynamodb.get_item(TableName=self.outputs["ResultsTableName"], Key=key, ConsistentRead=True)
        return {name: next(iter(value.values())) for name, value in found.get("Item", {}).items()} or None

    def latest_item(self, url: str) -> dict[str, Any] | None:
        """Return the item of the latest run, or None if there is none."""
        found = self.dynamodb.query(
            TableName=self.outputs["ResultsTableName"],
            KeyConditionExpression="#url = :url",
            ExpressionAttributeNames={"#url": "url"},
            ExpressionAttributeValues={":url": {"S": url}},
            ScanIndexForward=False,
            Limit=1,
        )["Items"]
        return {name: next(iter(value.values())) for name, value in found[0].items()} if found else None

    def delete(self, url: str) -> None:
        key = {"url": {"S": url}, "scheduled_at": {"S": self.scheduled_at}}
        self.dynamodb.delete_item(TableName=self.outputs["ResultsTableName"], Key=key)


BAD_SITES = {
    f"http://{'a' * 64}.invalid/": "its name does not resolve",  # this name is too long for DNS
    "ftp://example.com/": "only http and https are requested, not 'ftp'",
    "http://127.0.0.1:1/": None,  # the error depends on the setting cron_allow_private
}


@pytest.fixture
def example(deployment: Deployment) -> Iterator[CronExample]:
    example = CronExample.of(deployment)
    yield example
    for url in (*example.urls(), *BAD_SITES):
        example.delete(url)


def test_the_schedule_starts_runs(example: CronExample, deployment: Deployment) -> None:
    schedule = deployment.client("scheduler").get_schedule(Name=example.outputs["ScheduleName"])
    if schedule["ScheduleExpression"].startswith("cron("):
        pytest.skip("only a rate(...) schedule starts its first run within minutes")
    for url in example.urls():
        result = wait_for(partial(example.latest_item, url), f"a result for {url}", seconds=FIRST_RUN_SECONDS)
        assert result["url"] == url
        assert datetime.fromisoformat(result["scheduled_at"]) <= datetime.now(UTC)
        assert result["up"] or result["error"], result


def test_a_run_that_is_delivered_twice_is_stored_once(example: CronExample) -> None:
    urls = example.urls()
    assert example.run(*urls)["stored"] == len(urls)
    first = [example.item(url) for url in urls]
    assert None not in first
    assert example.run(*urls)["stored"] == 0
    assert [example.item(url) for url in urls] == first


def test_bad_sites_are_stored_as_down(example: CronExample, deployment: Deployment) -> None:
    assert example.run(*BAD_SITES) == {"checked": len(BAD_SITES), "stored": len(BAD_SITES), "down": len(BAD_SITES)}
    configuration = deployment.client("lambda").get_function_configuration(FunctionName=example.outputs["FunctionName"])
    private_addresses_are_refused = configuration["Environment"]["Variables"]["ALLOW_PRIVATE"] == "false"
    private_address_error = "127.0.0.1 is at 127.0.0.1, and that is not a public address"
    for url, error in BAD_SITES.items():
        item = example.item(url)
        assert item is not None
        assert item["up"] is False
        assert item["error"] == (
            error or (private_address_error if private_addresses_are_refused else "it refuses the connection")
        )
        assert int(item["expires_at"]) > datetime.now(UTC).timestamp()


def test_the_function_raises_an_error_for_an_event_without_urls(example: CronExample) -> None:
    answer = example.lambda_.invoke(FunctionName=example.outputs["FunctionName"], Payload="{}")
    assert answer["FunctionError"]
    assert json.load(answer["Payload"])["errorMessage"].startswith("urls: must be a list of 1 to 50 URLs")
