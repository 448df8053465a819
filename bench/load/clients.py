"""Measure the API with 200 clients at the same time. `make local` must have run before. It takes three minutes.

    python -m bench.load.clients

Each client sends GET /v1/notes again and again. After a 429, it waits for the seconds in Retry-After, as the lesson
says. There are three turns, of a minute each:

- one key: all clients use the same API key. The limit of its usage plan applies.
- 200 keys: each client has a key of its own. The limit of the stage applies.
- no limit: neither the keys nor the stage have a limit. This turn shows what this machine can answer.

The program exits with 1 after any answer but 200 and 429, or if the limits let too many or too few requests pass. If
this machine answers fewer requests than a limit allows, that number is enough.
"""

import argparse
import collections
import contextlib
import http.client
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from bench._measure import print_table
from bench.load._local import Deployment, print_machine
from local.api import api_key
from localaws.urls import local_url

STAGE = "live"
CLIENTS = 200
SECONDS = 60
TIMEOUT_SECONDS = 100
TOLERANCE = 0.1
"""The share by which the number of 200s may be below the limit, because the clients pause after a 429."""
NO_LIMIT = 1_000_000
Limits = dict[str, float]
"""The members `rateLimit` (requests a second) and `burstLimit` (requests at once)."""


class Turn:
    """One minute of requests, and their answers."""

    def __init__(self, url: str, keys: list[str]) -> None:
        """Each client uses one of the keys."""
        self.times: dict[str, list[float]] = collections.defaultdict(list)
        """The milliseconds of each answer, by its status. The name of an exception counts as a status."""
        self._url, self._lock = urlsplit(url), threading.Lock()
        self._end = time.monotonic() + SECONDS
        threads = [threading.Thread(target=self._send, args=(keys[n % len(keys)],)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send(self, key: str) -> None:
        connection = http.client.HTTPConnection(str(self._url.hostname), self._url.port, timeout=TIMEOUT_SECONDS)
        while time.monotonic() < self._end:
            started, pause = time.monotonic(), 0.0
            try:
                connection.request("GET", f"{self._url.path}v1/notes?limit=10", headers={"X-Api-Key": key})
                answer = connection.getresponse()
                answer.read()
                status, pause = str(answer.status), float(answer.headers.get("Retry-After", 0))
            except OSError as error:
                status = type(error).__name__
                connection.close()
            with self._lock:
                self.times[status].append((time.monotonic() - started) * 1000)
            time.sleep(max(0.0, min(pause, self._end - time.monotonic())))

    def errors(self) -> dict[str, int]:
        """Return the number of requests by their status, or by the name of the exception, without 200 and 429."""
        return {status: len(times) for status, times in self.times.items() if status not in ("200", "429")}

    def row(self, name: str) -> list[str]:
        """Return the row of this turn in the table."""
        answered = sorted(self.times["200"])
        percentiles = statistics.quantiles(answered, n=100, method="inclusive")
        counts = [f"{len(self.times[status]):,}" for status in ("200", "429")]
        return [name, *counts, str(sum(self.errors().values())), f"{percentiles[49]:.0f}", f"{percentiles[98]:.0f}"]


def main() -> int:
    """Measure, print the table, and return the exit code."""
    argparse.ArgumentParser(description="Measure the API with 200 clients at the same time.").parse_args()
    deployment = Deployment("api")
    gateway = deployment.client("apigateway")
    url = local_url(deployment.outputs["ApiUrl"], deployment.engine.endpoint)
    stage = {"restApiId": _api_id(gateway, deployment.name), "stageName": STAGE}
    key_limits, stage_limits = _limits_of_key(gateway, stage["restApiId"]), _limits_of_stage(gateway, stage)
    turns = {"one key": Turn(url, [api_key(gateway, deployment.outputs)])}
    with contextlib.ExitStack() as keys:
        each_own = [keys.enter_context(_new_key(gateway, stage, f"bench-{n}", key_limits)) for n in range(CLIENTS)]
        turns["200 keys"] = Turn(url, each_own)
    with _without_stage_limit(gateway, stage, stage_limits), _new_key(gateway, stage, "bench", None) as key:
        turns["no limit"] = Turn(url, [key])
    print_table([["turn", "200", "429", "errors", "p50 ms", "p99 ms"], *[turn.row(n) for n, turn in turns.items()]])
    print(f"{CLIENTS} clients, {SECONDS} s for each turn. The times are those of the answers with 200.")
    print_machine()
    limits = {"one key": key_limits, "200 keys": stage_limits}
    allowed = {name: int(each["burstLimit"] + SECONDS * each["rateLimit"]) for name, each in limits.items()}
    capacity = len(turns["no limit"].times["200"])
    passed = [_check(name, len(turns[name].times["200"]), most, capacity) for name, most in allowed.items()]
    for name, turn in turns.items():
        if errors := turn.errors():
            print(f"FAIL  {name}: other answers than 200 and 429, by status or exception: {errors}")
    return 0 if all(passed) and not any(turn.errors() for turn in turns.values()) else 1


def _check(name: str, answered: int, most: int, capacity: int) -> bool:
    """Print and return whether the limit let as many requests pass as it allows, or as the machine can answer."""
    met = min(most, capacity) * (1 - TOLERANCE) <= answered <= most
    print(f"{'PASS' if met else 'FAIL'}  {name}: the limit allows {most:,} requests, and {answered:,} got a 200")
    return met


def _api_id(gateway: Any, name: str) -> str:
    (api,) = [api for api in gateway.get_rest_apis()["items"] if api["name"] == name]
    return str(api["id"])


@contextlib.contextmanager
def _new_key(gateway: Any, stage: dict[str, str], name: str, limits: Limits | None) -> Iterator[str]:
    """Create an API key with its own usage plan, and yield the value of the key."""
    stages = [{"apiId": stage["restApiId"], "stage": stage["stageName"]}]
    plan = gateway.create_usage_plan(name=name, apiStages=stages, **({"throttle": limits} if limits else {}))["id"]
    key = gateway.create_api_key(name=name, enabled=True)
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    try:
        yield str(key["value"])
    finally:
        gateway.delete_usage_plan(usagePlanId=plan)
        gateway.delete_api_key(apiKey=key["id"])


def _limits_of_key(gateway: Any, api: str) -> Limits:
    plans = gateway.get_usage_plans()["items"]
    (plan,) = [plan for plan in plans if api in [stage["apiId"] for stage in plan["apiStages"]]]
    return dict(plan["throttle"])


def _limits_of_stage(gateway: Any, stage: dict[str, str]) -> Limits:
    settings = gateway.get_stage(**stage)["methodSettings"]["*/*"]
    return {"rateLimit": settings["throttlingRateLimit"], "burstLimit": settings["throttlingBurstLimit"]}


@contextlib.contextmanager
def _without_stage_limit(gateway: Any, stage: dict[str, str], limits: Limits) -> Iterator[None]:
    _set_stage_limit(gateway, stage, dict.fromkeys(limits, NO_LIMIT))
    try:
        yield
    finally:
        _set_stage_limit(gateway, stage, limits)


def _set_stage_limit(gateway: Any, stage: dict[str, str], limits: Limits) -> None:
    operations = [
        {"op": "replace", "path": f"/*/*/throttling/{name}", "value": str(value)} for name, value in limits.items()
    ]
    gateway.update_stage(**stage, patchOperations=operations)


if __name__ == "__main__":
    sys.exit(main())
