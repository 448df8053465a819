"""A run of the schedule stores one result for each URL, however often it is delivered and whatever fails."""

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
from tests.handlers.cron.conftest import CONTEXT, SCHEDULED_AT, Resolve, Serve, World, metrics_in
from tests.handlers.cron.sites import OK, hang, one_per_connection, send

ERROR = b"HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"
Output = pytest.CaptureFixture[str]


# --- results, metrics and logs of a run ---


def test_every_url_gets_a_result(world: World, serve: Serve) -> None:
    up, down = serve(send(OK)), serve(send(ERROR))
    before = int(time.time())
    assert world.run(up.url, down.url) == {"checked": 2, "stored": 2, "down": 1}
    items = {item["url"]: item for item in world.items()}
    assert items[up.url] == {
        "url": up.url,
        "scheduled_at": SCHEDULED_AT,
        "checked_at": items[up.url]["checked_at"],
        "expires_at": items[up.url]["expires_at"],
        "up": True,
        "status": "200",
        "milliseconds": items[up.url]["milliseconds"],
    }
    assert before <= datetime.fromisoformat(items[up.url]["checked_at"]).timestamp() <= time.time()
    assert before <= int(items[up.url]["expires_at"]) - 90 * 86400 <= time.time()
    assert items[down.url]["up"] is False
    assert items[down.url]["status"] == "503"
    assert items[down.url]["error"] == "it answers 503 Service Unavailable"


def test_every_url_gets_metrics(world: World, serve: Serve, capsys: Output) -> None:
    up, down = serve(send(OK)), serve(send(ERROR))
    world.run(up.url, down.url)
    lines = metrics_in(capsys.readouterr().out)
    metrics_of = {line["url"]: line for line in lines if "url" in line}
    assert metrics_of[up.url]["Up"] == [1]
    assert metrics_of[up.url]["Milliseconds"][0] >= 0
    assert metrics_of[down.url]["Up"] == [0]
    assert "Milliseconds" not in metrics_of[down.url]
    (dimensions,) = metrics_of[up.url]["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert set(dimensions) == {"service", "url"}
    assert {line["service"] for line in lines} == {"test-cron"}


def test_only_wanted_metrics_are_written(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Each metric costs $0.30 a month."""
    monkeypatch.setattr(world.function, "METRICS", ["Up"])
    world.run(serve(send(OK)).url, serve(send(ERROR)).url)
    lines = metrics_in(capsys.readouterr().out)
    assert sorted(line["Up"] for line in lines) == [[0], [1]]
    for line in lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert [metric["Name"] for metric in directive["Metrics"]] == ["Up"]
        assert [set(dimensions) for dimensions in directive["Dimensions"]] == [{"service", "url"}]


def test_the_log_contains_the_result(world: World, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    site = serve(send(ERROR))
    world.run(site.url)
    (line,) = [vars(record) for record in caplog.records if record.message == "down"]
    assert line["result"]["url"] == site.url
    assert line["result"]["error"] == "it answers 503 Service Unavailable"
    assert line["stored"] is True


def test_private_addresses_are_forbidden_if_the_function_says_so(
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
    released = threading.Event()
    names = {f"{number}.example": lambda: [str(released.wait())] for number in range(MAX_URLS // 2)}
    resolve(names)
    monkeypatch.setattr(world.function, "TIMEOUT_SECONDS", 0.5)
    site = serve(hang)
    urls = [*(f"http://{name}/" for name in names), *(f"{site.url}{number}" for number in range(MAX_URLS // 2))]
    started = time.monotonic()
    assert world.run(*urls) == {"checked": MAX_URLS, "stored": MAX_URLS, "down": MAX_URLS}
    assert time.monotonic() - started < 20, "half a second, and moto's time on a busy machine"
    released.set()


# --- a run is delivered at least once, and deliveries may overlap ---


def test_a_run_that_is_delivered_twice_has_one_result(world: World, serve: Serve, capsys: Output) -> None:
    site = serve(one_per_connection(send(OK), send(ERROR)))
    world.run(site.url)
    first = world.items()
    capsys.readouterr()
    assert world.run(site.url) == {"checked": 1, "stored": 0, "down": 1}
    assert world.items() == first
    assert metrics_in(capsys.readouterr().out) == [], "the second result is not counted"


@pytest.mark.parametrize("again", ["2026-11-21T12:00:00+01:00", "2026-11-21T11:00:00.000+00:00", "20261121T110000Z"])
def test_all_spellings_of_a_time_are_the_same_run(world: World, serve: Serve, again: str) -> None:
    site = serve(send(OK))
    world.run(site.url)
    assert world.run(site.url, at=again)["stored"] == 0


@pytest.mark.parametrize(
    ("second", "are_new"),
    [
        pytest.param("2026-11-21T12:00:00Z", [True, True], id="two-runs"),
        pytest.param(SCHEDULED_AT, [False, True], id="one-run-delivered-twice"),
    ],
)
def test_overlapping_deliveries_store_one_result_per_run(
    world: World, serve: Serve, second: str, are_new: list[bool]
) -> None:
    both = threading.Barrier(2, timeout=5)

    def answer_when_both_have_begun(connection: Any) -> None:
        both.wait()
        send(OK)(connection)

    url = serve(answer_when_both_have_begun).url
    store = world.function.store
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(settle, at, url, store, timeout=5, allow_private=True) for at in (SCHEDULED_AT, second)]
        assert sorted(call.result()[1] for call in calls) == are_new
    assert sorted(item["scheduled_at"] for item in world.items()) == sorted({SCHEDULED_AT, second})


# --- failures of AWS ---


def test_a_result_is_stored_even_if_the_confirmation_is_lost(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK then sends the item again and finds it stored."""
    dynamodb = world.function.store._dynamodb
    put_item = dynamodb.put_item

    def put_twice(**request: Any) -> Any:
        put_item(**request)
        return put_item(**request)

    monkeypatch.setattr(dynamodb, "put_item", put_twice)
    assert world.run(serve(send(OK)).url)["stored"] == 1


def fail_to_store(world: World, monkeypatch: pytest.MonkeyPatch, *urls: str) -> None:
    """Make storing the results of these URLs fail."""
    put = world.function.store.put

    def fail_or_put(scheduled_at: str, result: Any) -> bool:
        if result.url in urls:
            raise ClientError({"Error": {"Code": "InternalServerError", "Message": "outage"}}, "PutItem")
        return bool(put(scheduled_at, result))

    monkeypatch.setattr(world.function.store, "put", fail_or_put)


@pytest.mark.parametrize(
    ("failing", "stored"),
    [
        pytest.param((ERROR, [0]), (OK, [1]), id="down-is-not-stored"),
        # The first delivery reports that one site is down. The retry adds one that is up, and must not end the alarm.
        pytest.param((OK, [1]), (ERROR, [0]), id="up-is-not-stored"),
    ],
)
def test_a_retry_after_a_failure_of_aws_adds_only_what_is_missing(
    world: World, serve: Serve, capsys: Output, failing: tuple[bytes, list[int]], stored: tuple[bytes, list[int]]
) -> None:
    first, second = serve(send(failing[0])).url, serve(send(stored[0])).url
    with pytest.MonkeyPatch.context() as patch:
        fail_to_store(world, patch, first)
        with pytest.raises(ClientError, match="outage"):
            world.run(first, second)
    assert [item["url"] for item in world.items()] == [second]
    assert world.run(first, second) == {"checked": 2, "stored": 1, "down": 1}
    assert {item["url"] for item in world.items()} == {first, second}
    metrics = [(line["url"], line["Up"]) for line in metrics_in(capsys.readouterr().out)]
    assert metrics == [(second, stored[1]), (first, failing[1])], "each result is counted once"


def test_all_failures_are_raised_and_nothing_is_counted(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Metrics of a run that stored nothing would hide it from the alarm for missed runs."""
    urls = [serve(send(OK)).url for _ in range(2)]
    fail_to_store(world, monkeypatch, *urls)
    with pytest.raises(ExceptionGroup) as raised:
        world.run(*urls)
    assert len(raised.value.exceptions) == 2
    assert world.items() == []
    assert metrics_in(capsys.readouterr().out) == []


def test_a_bug_with_one_url_does_not_affect_the_others(
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


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({}, "urls: must be a list of 1 to 50 URLs, not None"),
        ({"urls": "http://a/"}, "urls: must be a list of 1 to 50 URLs, not 'http://a/'"),
        ({"urls": []}, "urls: must be a list of 1 to 50 URLs, not []"),
        ({"urls": ["http://a/"] * 51}, "urls: must be a list of 1 to 50 URLs, not ["),
        ({"urls": [None]}, "urls: each must be 1 to 1024 printable ASCII characters, not None"),
        ({"urls": [""]}, "urls: each must be 1 to 1024 printable ASCII characters, not ''"),
        ({"urls": ["http://ü/"]}, "urls: each must be 1 to 1024 printable ASCII characters, not 'http://ü/'"),
        ({"urls": ["http://a/\n"]}, "urls: each must be 1 to 1024 printable ASCII characters, not 'http://a/"),
        ({"urls": ["h" * 1025]}, "urls: each must be 1 to 1024 printable ASCII characters, not 'hhh"),
        ({"urls": ["http://a/"]}, "scheduled_at: must be a time like 2026-11-21T11:00:00Z, not None"),
        ({"urls": ["http://a/"], "scheduled_at": "now"}, "scheduled_at: must be a time like"),
        (
            {"urls": ["http://a/"], "scheduled_at": "<aws.scheduler.scheduled-time>"},
            "scheduled_at: must be a time like 2026-11-21T11:00:00Z, not '<aws.scheduler.scheduled-time>'",
        ),
        ({"urls": ["http://a/"], "scheduled_at": "2026-11-21T11:00:00"}, "has no time zone (Z is UTC)"),
    ],
)
def test_an_invalid_event_is_an_error(function: ModuleType, event: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^(urls|scheduled_at): ") as raised:
        function.handler(event, CONTEXT)
    assert message in str(raised.value)


@given(st.datetimes(timezones=st.timezones()))
def test_times_of_every_time_zone_become_utc_of_one_length(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    if not 1 < moment.year < 9999:
        return
    run = parse_run({"urls": ["http://a/"], "scheduled_at": moment.isoformat()})
    assert run.scheduled_at.endswith("Z")
    assert len(run.scheduled_at) == len(SCHEDULED_AT), "one length, so that keys sort by time"


def test_a_url_that_is_listed_twice_is_checked_once() -> None:
    run = parse_run({"urls": ["http://a/", "http://b/", "http://a/"], "scheduled_at": SCHEDULED_AT})
    assert run.urls == ("http://a/", "http://b/")
