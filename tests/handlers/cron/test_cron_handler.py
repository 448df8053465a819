"""A run of the schedule: one result for each URL, however often and however badly it is delivered."""

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

from cron.events import MAX_URLS, run_of
from tests.handlers.cron.conftest import CONTEXT, Serve, World, metrics_in
from tests.handlers.cron.sites import OK, hangs, in_turn, resolver, says

ERROR = b"HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"
AT = "2026-11-21T11:00:00Z"


# -- what a run leaves


def test_every_url_has_its_result(world: World, serve: Serve) -> None:
    up, down = serve(says(OK)), serve(says(ERROR))
    before = int(time.time())
    assert world.run(up.url, down.url) == {"checked": 2, "stored": 2, "down": 1}
    items = {item["url"]: item for item in world.items()}
    assert items[up.url] == {
        "url": up.url,
        "scheduled_at": AT,
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


def test_every_url_has_its_metrics(world: World, serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    up, down = serve(says(OK)), serve(says(ERROR))
    world.run(up.url, down.url)
    found = metrics_in(capsys.readouterr().out)
    of_urls = {line["url"]: line for line in found if "url" in line}
    assert of_urls[up.url]["Up"] == [1]
    assert of_urls[up.url]["Milliseconds"][0] >= 0
    assert of_urls[down.url]["Up"] == [0]
    assert "Milliseconds" not in of_urls[down.url]
    (dimensions,) = of_urls[up.url]["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert set(dimensions) == {"service", "url"}
    assert {line["service"] for line in found} == {"test-cron"}


def test_only_the_metrics_are_written_that_are_wanted(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each costs $0.30 a month."""
    monkeypatch.setattr(world.function, "METRICS", ["Up"])
    world.run(serve(says(OK)).url, serve(says(ERROR)).url)
    found = metrics_in(capsys.readouterr().out)
    assert sorted(line["Up"] for line in found) == [[0], [1]]
    for line in found:
        (written,) = line["_aws"]["CloudWatchMetrics"]
        assert [metric["Name"] for metric in written["Metrics"]] == ["Up"]
        assert written["Dimensions"] == [["service", "url"]] or written["Dimensions"] == [["url", "service"]]


# -- at least once, and all at once


def test_a_run_that_is_delivered_twice_has_one_result(
    world: World, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    site = serve(in_turn(says(OK), says(ERROR)))
    world.run(site.url)
    first = world.items()
    capsys.readouterr()
    assert world.run(site.url) == {"checked": 1, "stored": 0, "down": 1}
    assert world.items() == first
    assert metrics_in(capsys.readouterr().out) == [], "nor is it counted twice"


@pytest.mark.parametrize("again", ["2026-11-21T12:00:00+01:00", "2026-11-21T11:00:00.000+00:00", "20261121T110000Z"])
def test_one_moment_is_one_run_however_it_is_written(world: World, serve: Serve, again: str) -> None:
    site = serve(says(OK))
    world.run(site.url)
    assert world.run(site.url, at=again)["stored"] == 0


def test_runs_that_overlap_do_not_get_into_each_others_way(world: World, serve: Serve) -> None:
    both = threading.Barrier(2, timeout=5)

    def slow(connection: Any) -> None:
        both.wait()  # neither run ends before the other has begun
        says(OK)(connection)

    site = serve(slow)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(world.function.settle, at, site.url) for at in (AT, "2026-11-21T12:00:00Z")]
        assert [run.result()[1] for run in runs] == [True, True]
    assert {item["scheduled_at"] for item in world.items()} == {AT, "2026-11-21T12:00:00Z"}


def test_two_deliveries_at_the_same_time_have_one_result(world: World, serve: Serve) -> None:
    both = threading.Barrier(2, timeout=5)

    def slow(connection: Any) -> None:
        both.wait()
        says(OK)(connection)

    site = serve(slow)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(world.function.settle, AT, site.url) for _ in range(2)]
        assert sorted(run.result()[1] for run in runs) == [False, True]
    assert len(world.items()) == 1


def test_all_sites_may_hang_and_the_run_ends_in_time(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    names = {f"{number}.example": lambda: [str(released.wait())] for number in range(MAX_URLS // 2)}
    monkeypatch.setattr("socket.getaddrinfo", resolver(names))
    monkeypatch.setattr(world.function, "TIMEOUT_SECONDS", 0.5)
    site = serve(hangs)
    urls = [*(f"http://{name}/" for name in names), *(f"{site.url}{number}" for number in range(MAX_URLS // 2))]
    started = time.monotonic()
    assert world.run(*urls) == {"checked": MAX_URLS, "stored": MAX_URLS, "down": MAX_URLS}
    assert time.monotonic() - started < 20, "half a second, and the time of moto on a busy machine"
    released.set()


# -- when AWS fails


def test_a_result_whose_confirmation_was_lost_counts_as_stored(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK then sends it once more, and finds it there."""
    dynamodb = world.function.store._dynamodb
    put_item = dynamodb.put_item

    def twice(**request: Any) -> Any:
        put_item(**request)
        return put_item(**request)

    monkeypatch.setattr(dynamodb, "put_item", twice)
    assert world.run(serve(says(OK)).url)["stored"] == 1


def outage(world: World, monkeypatch: pytest.MonkeyPatch, *urls: str) -> None:
    """The table takes no result of these URLs."""
    put = world.function.store.put

    def failing(scheduled_at: str, result: Any) -> bool:
        if result.url in urls:
            raise ClientError({"Error": {"Code": "InternalServerError", "Message": "outage"}}, "PutItem")
        return bool(put(scheduled_at, result))

    monkeypatch.setattr(world.function.store, "put", failing)


def test_a_failure_of_aws_is_raised_after_all_were_tried_and_a_retry_completes_the_run(
    world: World, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    good, unlucky = serve(says(OK)), serve(says(ERROR))
    with pytest.MonkeyPatch.context() as patch:
        outage(world, patch, unlucky.url)
        with pytest.raises(ClientError, match="outage"):
            world.run(unlucky.url, good.url)
    assert [item["url"] for item in world.items()] == [good.url]
    assert world.run(unlucky.url, good.url) == {"checked": 2, "stored": 1, "down": 1}
    assert {item["url"] for item in world.items()} == {good.url, unlucky.url}
    measured = [(line["url"], line["Up"]) for line in metrics_in(capsys.readouterr().out)]
    assert measured == [(good.url, [1]), (unlucky.url, [0])], "each result is counted once"


def test_a_retry_does_not_say_that_a_site_is_up_again(
    world: World, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first try stored that one is down; the second adds one that is up, and the alarm must stay."""
    unlucky, down = serve(says(OK)), serve(says(ERROR))
    with pytest.MonkeyPatch.context() as patch:
        outage(world, patch, unlucky.url)
        with pytest.raises(ClientError, match="outage"):
            world.run(unlucky.url, down.url)
    assert world.run(unlucky.url, down.url) == {"checked": 2, "stored": 1, "down": 1}
    measured = [(line["url"], line["Up"]) for line in metrics_in(capsys.readouterr().out)]
    assert measured == [(down.url, [0]), (unlucky.url, [1])]


def test_all_failures_are_told(world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    sites = [serve(says(OK)) for _ in range(2)]
    outage(world, monkeypatch, *(site.url for site in sites))
    with pytest.raises(ExceptionGroup) as raised:
        world.run(*(site.url for site in sites))
    assert len(raised.value.exceptions) == 2
    assert world.items() == []


def test_a_run_that_stored_nothing_does_not_count_as_a_run(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or the alarm for a missed run would stay silent while nothing is written."""
    site = serve(says(OK))
    outage(world, monkeypatch, site.url)
    with pytest.raises(ClientError):
        world.run(site.url)
    assert metrics_in(capsys.readouterr().out) == []


def test_a_bug_with_one_url_does_not_cost_the_others(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = serve(says(OK))
    check = world.function.check
    monkeypatch.setattr(
        world.function, "check", lambda url, **options: 1 / 0 if "bug" in url else check(url, **options)
    )
    with pytest.raises(ZeroDivisionError):
        world.run(site.url + "bug", site.url)
    assert [item["url"] for item in world.items()] == [site.url]


def test_private_addresses_are_refused_where_the_function_is_told_so(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.function, "ALLOW_PRIVATE", False)
    site = serve(says(OK))
    assert world.run(site.url)["down"] == 1
    assert world.items()[0]["error"] == "127.0.0.1 is at 127.0.0.1, and that is not a public address"
    assert site.requests == []


def test_a_line_of_the_log_tells_what_was_found(world: World, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    site = serve(says(ERROR))
    world.run(site.url)
    (line,) = [vars(record) for record in caplog.records if record.message == "down"]
    assert line["result"]["url"] == site.url
    assert line["result"]["error"] == "it answers 503 Service Unavailable"
    assert line["stored"] is True


# -- the event


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
def test_an_event_that_names_no_run_is_refused_in_words(
    function: ModuleType, event: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r"^(urls|scheduled_at): ") as raised:
        function.handler(event, CONTEXT)
    assert message in str(raised.value)


@given(st.datetimes(timezones=st.timezones()))
def test_the_key_of_a_moment_is_the_same_in_every_time_zone(moment: Any) -> None:
    moment = moment.replace(microsecond=0)
    if not 1 < moment.year < 9999:
        return
    run = run_of({"urls": ["http://a/"], "scheduled_at": moment.isoformat()})
    assert run.scheduled_at.endswith("Z")
    assert len(run.scheduled_at) == len(AT), "of one length, so that they sort by time"


def test_a_url_that_is_named_twice_is_checked_once() -> None:
    assert run_of({"urls": ["http://a/", "http://b/", "http://a/"], "scheduled_at": AT}).urls == (
        "http://a/",
        "http://b/",
    )
