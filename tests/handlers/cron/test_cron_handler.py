"""A run stores one result for each URL, even if the run is delivered several times, or if something fails."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from cron.check import check
from cron.events import MAX_URLS, parse_run
from cron.settle import settle
from tests.handlers.cron.conftest import SCHEDULED_AT, Resolve, Serve, World, metrics_in
from tests.handlers.cron.sites import OK, hang, one_per_connection, send
from tests.handlers.lambda_function import CONTEXT

ERROR_ANSWER = b"HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"
Output = pytest.CaptureFixture[str]


# --- results, metrics and logs of a run ---


def test_every_url_gets_a_result(world: World, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    up_url, down_url = serve(send(OK)).url, serve(send(ERROR_ANSWER)).url
    before = int(time.time())
    assert world.run(up_url, down_url) == {"checked": 2, "stored": 2, "down": 1}
    items = {item["url"]: item for item in world.items()}
    assert items[up_url] == {
        "url": up_url,
        "scheduled_at": SCHEDULED_AT,
        "checked_at": items[up_url]["checked_at"],
        "expires_at": items[up_url]["expires_at"],
        "up": True,
        "status": "200",
        "milliseconds": items[up_url]["milliseconds"],
    }
    assert before <= datetime.fromisoformat(items[up_url]["checked_at"]).timestamp() <= time.time()
    assert before <= int(items[up_url]["expires_at"]) - 90 * 86400 <= time.time()
    error = "it answers 503 Service Unavailable"
    assert (items[down_url]["up"], items[down_url]["status"], items[down_url]["error"]) == (False, "503", error)
    (line,) = [vars(record) for record in caplog.records if record.message == "down"]
    assert (line["result"]["url"], line["result"]["error"], line["stored"]) == (down_url, error, True)


@pytest.mark.parametrize(
    "enabled_metrics", [["Up", "Milliseconds", "CertificateDaysLeft"], ["Up"]], ids=["all", "only-up"]
)
def test_every_url_gets_the_metrics_of_the_settings(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: Output, enabled_metrics: list[str]
) -> None:
    """Users choose the metrics in the settings, because each metric costs $0.30 a month."""
    monkeypatch.setattr(world.function, "METRICS", enabled_metrics)
    up_url, down_url = serve(send(OK)).url, serve(send(ERROR_ANSWER)).url
    world.run(up_url, down_url)
    metrics = {line["url"]: line for line in metrics_in(capsys.readouterr().out)}
    assert (metrics[up_url]["Up"], metrics[down_url]["Up"]) == ([1], [0])
    assert metrics[up_url].get("Milliseconds", [0])[0] >= 0
    for url, metric_names in ((up_url, {"Up", "Milliseconds"}), (down_url, {"Up"})):
        (directive,) = metrics[url]["_aws"]["CloudWatchMetrics"]
        assert {metric["Name"] for metric in directive["Metrics"]} == metric_names & {*enabled_metrics}
        assert [set(dimensions) for dimensions in directive["Dimensions"]] == [{"service", "url"}]
        assert metrics[url]["service"] == "test-cron"


def test_private_addresses_are_forbidden_by_the_environment_variable(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.function, "ALLOW_PRIVATE", False)
    site = serve(send(OK))
    assert world.run(site.url)["down"] == 1
    assert world.items()[0]["error"] == "127.0.0.1 is at 127.0.0.1, and that is not a public address"
    assert site.requests == []


def test_a_run_ends_in_time_even_if_all_sites_hang(
    world: World, serve: Serve, resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver_may_answer = threading.Event()
    names = {f"{number}.example": lambda: [str(resolver_may_answer.wait())] for number in range(MAX_URLS // 2)}
    resolve(names)
    monkeypatch.setattr(world.function, "TIMEOUT_SECONDS", 0.5)
    site = serve(hang)
    urls = [*(f"http://{name}/" for name in names), *(f"{site.url}{number}" for number in range(MAX_URLS // 2))]
    started = time.monotonic()
    assert world.run(*urls) == {"checked": MAX_URLS, "stored": MAX_URLS, "down": MAX_URLS}
    assert time.monotonic() - started < 20, "the timeout is 0.5 s, and moto needs some time on a busy machine"
    resolver_may_answer.set()


# --- a run is delivered at least once, and two deliveries may overlap ---


@pytest.mark.parametrize(
    "second_spelling",
    [SCHEDULED_AT, "2026-11-21T12:00:00+01:00", "2026-11-21T11:00:00.000+00:00", "20261121T110000Z"],
)
def test_a_run_that_is_delivered_twice_has_one_result(
    world: World, serve: Serve, capsys: Output, second_spelling: str
) -> None:
    """The second delivery may spell the time in another way, but it is the same run."""
    site = serve(one_per_connection(send(OK), send(ERROR_ANSWER)))
    world.run(site.url)
    first_items = world.items()
    capsys.readouterr()
    assert world.run(site.url, scheduled_at=second_spelling) == {"checked": 1, "stored": 0, "down": 1}
    assert world.items() == first_items
    assert metrics_in(capsys.readouterr().out) == [], "the second delivery wrote metrics"


@pytest.mark.parametrize(
    ("second_time", "are_new"),
    [
        pytest.param("2026-11-21T12:00:00Z", [True, True], id="two-runs"),
        pytest.param(SCHEDULED_AT, [False, True], id="one-run-delivered-twice"),
    ],
)
def test_overlapping_deliveries_store_one_result_per_run(
    world: World, serve: Serve, second_time: str, are_new: list[bool]
) -> None:
    both_requests = threading.Barrier(2, timeout=5)

    def answer_after_both_requests(connection: Any) -> None:
        both_requests.wait()
        send(OK)(connection)

    url = serve(answer_after_both_requests).url
    store, times = world.function.store, (SCHEDULED_AT, second_time)
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(settle, time_, url, store, timeout=5, allow_private=True) for time_ in times]
        assert sorted(call.result()[1] for call in calls) == are_new
    assert sorted(item["scheduled_at"] for item in world.items()) == sorted({*times})


# --- failures of AWS ---


def test_a_result_counts_as_new_even_if_the_answer_of_dynamodb_is_lost(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK then sends the item again, and the table already has it."""
    dynamodb = world.function.store._dynamodb
    put_item = dynamodb.put_item

    def put_twice(**request: Any) -> Any:
        put_item(**request)
        return put_item(**request)

    monkeypatch.setattr(dynamodb, "put_item", put_twice)
    assert world.run(serve(send(OK)).url)["stored"] == 1


def fail_to_store(world: World, monkeypatch: pytest.MonkeyPatch, *urls: str) -> None:
    """Replace the function that stores results: for these URLs, the new function fails."""
    put = world.function.store.put

    def fail_or_put(scheduled_at: str, result: Any) -> bool:
        if result.url in urls:
            raise ClientError({"Error": {"Code": "InternalServerError", "Message": "outage"}}, "PutItem")
        return bool(put(scheduled_at, result))

    monkeypatch.setattr(world.function.store, "put", fail_or_put)


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param((ERROR_ANSWER, OK), id="down-is-not-stored"),
        # The first delivery reports that one site is down. The retry reports a site that is up. The alarm must not end.
        pytest.param((OK, ERROR_ANSWER), id="up-is-not-stored"),
    ],
)
def test_a_retry_after_a_failure_of_aws_adds_only_the_missing_results(
    world: World, serve: Serve, capsys: Output, answers: tuple[bytes, bytes]
) -> None:
    first_url, second_url = (serve(send(answer)).url for answer in answers)
    first_up, second_up = ([int(answer == OK)] for answer in answers)
    with pytest.MonkeyPatch.context() as patch:
        fail_to_store(world, patch, first_url)
        with pytest.raises(ClientError, match="outage"):
            world.run(first_url, second_url)
    assert [item["url"] for item in world.items()] == [second_url]
    assert world.run(first_url, second_url) == {"checked": 2, "stored": 1, "down": 1}
    assert {item["url"] for item in world.items()} == {first_url, second_url}
    metrics = [(line["url"], line["Up"]) for line in metrics_in(capsys.readouterr().out)]
    assert metrics == [(second_url, second_up), (first_url, first_up)], "a result was not counted exactly once"


def test_all_failures_are_raised_and_no_metric_is_written(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """If a run that stores nothing wrote metrics, the alarm for missed runs would not start."""
    urls = [serve(send(OK)).url for _ in range(2)]
    fail_to_store(world, monkeypatch, *urls)
    with pytest.raises(ExceptionGroup) as raised:
        world.run(*urls)
    assert len(raised.value.exceptions) == 2
    assert world.items() == []
    assert metrics_in(capsys.readouterr().out) == []


def test_a_bug_with_one_url_does_not_affect_the_other_urls(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(send(OK))
    monkeypatch.setattr("cron.settle.check", lambda url, **options: 1 / 0 if "bug" in url else check(url, **options))
    with pytest.raises(ZeroDivisionError):
        world.run(site.url + "bug", site.url)
    (line,) = [vars(record) for record in caplog.records if record.message == "failed; Lambda will retry"]
    assert line["url"] == site.url + "bug"
    assert [item["url"] for item in world.items()] == [site.url]


# --- the event ---

LIST_RULE = "urls: must be a list of 1 to 50 URLs, not "
URL_RULE = "urls: each must be 1 to 1024 printable ASCII characters, not "
TIME_RULE = "scheduled_at: must be a time like 2026-11-21T11:00:00Z, not "


@pytest.mark.parametrize(
    ("urls", "scheduled_at", "message"),
    [
        (None, SCHEDULED_AT, LIST_RULE + "None"),
        ("http://a/", SCHEDULED_AT, LIST_RULE + "'http://a/'"),
        ([], SCHEDULED_AT, LIST_RULE + "[]"),
        (["http://a/"] * 51, SCHEDULED_AT, LIST_RULE + "["),
        ([None], SCHEDULED_AT, URL_RULE + "None"),
        ([""], SCHEDULED_AT, URL_RULE + "''"),
        (["http://ü/"], SCHEDULED_AT, URL_RULE + "'http://ü/'"),
        (["http://a/\n"], SCHEDULED_AT, URL_RULE + "'http://a/"),
        (["h" * 1025], SCHEDULED_AT, URL_RULE + "'hhh"),
        (["http://a/"], None, TIME_RULE + "None"),
        (["http://a/"], "now", TIME_RULE + "'now'"),
        (["http://a/"], "<aws.scheduler.scheduled-time>", TIME_RULE + "'<aws.scheduler.scheduled-time>'"),
        (["http://a/"], "2026-11-21T11:00:00", "scheduled_at: '2026-11-21T11:00:00' has no time zone (Z is UTC)"),
    ],
)
def test_an_invalid_event_is_an_error(function: ModuleType, urls: object, scheduled_at: object, message: str) -> None:
    with pytest.raises(ValueError, match=r"^(urls|scheduled_at): ") as raised:
        function.handler({"urls": urls, "scheduled_at": scheduled_at}, CONTEXT)
    assert str(raised.value).startswith(message)


YEARS = datetime.fromisoformat("0002-01-01"), datetime.fromisoformat("9998-01-01")


@given(st.datetimes(*YEARS, timezones=st.timezones()))
def test_times_of_every_time_zone_become_utc_texts_of_one_length(moment: datetime) -> None:
    run = parse_run({"urls": ["http://a/"], "scheduled_at": moment.replace(microsecond=0).isoformat()})
    assert run.scheduled_at.endswith("Z")
    assert len(run.scheduled_at) == len(SCHEDULED_AT), "with one length, keys sort by time"


def test_a_url_that_is_listed_twice_is_checked_once() -> None:
    run = parse_run({"urls": ["http://a/", "http://b/", "http://a/"], "scheduled_at": SCHEDULED_AT})
    assert run.urls == ("http://a/", "http://b/")
