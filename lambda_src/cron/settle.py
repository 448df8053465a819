"""Settles all URLs of a run at the same time. To settle a URL means to check it and to store the result."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from cron.check import Result, check
from cron.events import Run
from cron.store import Store


def settle_all(
    run: Run, store: Store, *, timeout: float, allow_private: bool
) -> Iterator[tuple[str, Future[tuple[Result, bool]]]]:
    """Call `settle` for each URL. Yield the URL and its finished call, in the order in which the calls finish."""
    with ThreadPoolExecutor(max_workers=len(run.urls)) as pool:
        urls_by_future = {
            pool.submit(settle, run.scheduled_at, url, store, timeout=timeout, allow_private=allow_private): url
            for url in run.urls
        }
        for future in as_completed(urls_by_future):
            yield urls_by_future[future], future


def settle(scheduled_at: str, url: str, store: Store, *, timeout: float, allow_private: bool) -> tuple[Result, bool]:
    """Check one URL and store the result. Return the result, and True if it is the first result of this run and URL.

    Raises botocore's errors when AWS fails.
    """
    result = check(url, timeout=timeout, allow_private=allow_private)
    return result, store.put(scheduled_at, result)
