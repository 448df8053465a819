"""Checks all URLs of a run at the same time, and stores one result for each."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from cron.check import Result, check
from cron.events import Run
from cron.store import Store


def settle_all(
    run: Run, store: Store, *, timeout: float, allow_private: bool
) -> Iterator[tuple[str, Future[tuple[Result, bool]]]]:
    """Yield each URL with its finished call of `settle`, in the order in which they finish."""
    with ThreadPoolExecutor(max_workers=len(run.urls)) as pool:
        url_of = {
            pool.submit(settle, run.scheduled_at, url, store, timeout=timeout, allow_private=allow_private): url
            for url in run.urls
        }
        for future in as_completed(url_of):
            yield url_of[future], future


def settle(scheduled_at: str, url: str, store: Store, *, timeout: float, allow_private: bool) -> tuple[Result, bool]:
    """Check one URL and store the result. Return it, and whether it is the run's first for this URL.

    Raises botocore's errors when AWS fails.
    """
    result = check(url, timeout=timeout, allow_private=allow_private)
    return result, store.put(scheduled_at, result)
