"""Options of pytest, and the rules that distribute tests to processes. tests/support/deployment.py has the fixtures."""

import argparse
import contextlib
import gc
import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from tests.support.folders import share_assemblies
from tests.support.prices import missing_prices
from tools.costs.prices import UnpricedError

pytest_plugins = ["tests.support.deployment"]

DEPLOYMENT_FOLDERS = ("tests/smoke/", "tests/local/")
"""Folders whose tests use the local deployment. They all run in one process, because there is only one deployment."""
SLOW_FOLDERS = ("tests/containers/",)
"""Folders whose tests start servers, browsers or containers."""

# The fast tests use this profile; the default is 100 examples. A busy machine may generate them slowly.
hypothesis.settings.register_profile(
    "fast", max_examples=10, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--live", action="store_true", help="run the smoke tests against the stacks in your AWS account")
    parser.addoption("--profile", type=_profile, help="profile of the deployed stacks, default: sandbox (with --live)")
    parser.addoption("--prefix", help="prefix of the deployed stacks, if config.py has another one (with --live)")
    parser.addoption(
        "--meant", default="", help="stores that --snapshot-update may lose, such as compute-api/Notes5BB3582F"
    )
    parser.addoption(
        "--permissions-update",
        action="store_true",
        help="write the permissions that roles use into tests/contracts/used_permissions.txt",
    )


def _profile(name: str) -> str:
    from config import PROFILES  # noqa: PLC0415 - most tests do not need CDK, which starts slowly

    if name not in PROFILES:
        raise argparse.ArgumentTypeError(f"{name!r} is not a profile. Use one of: {', '.join(PROFILES)}")
    return name


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        signal.signal(signal.SIGTERM, _interrupt)
    config.add_cleanup(share_assemblies())


_worker_pids: list[int] = []
"""The process ids of the worker processes that xdist starts to run tests."""


def pytest_configure_node(node: Any) -> None:
    _worker_pids.append(node.gateway._io.popen.pid)


def _interrupt(*_: object) -> None:
    # SIGTERM ends a test run as Ctrl-C does. Without this function, the local AWS and its containers would not stop.
    for pid in _worker_pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
    raise KeyboardInterrupt


def pytest_keyboard_interrupt() -> None:
    # After five seconds, xdist sends a second SIGINT. It would interrupt the clean-up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def pytest_collection_finish() -> None:
    gc.freeze()  # the garbage collector ignores the collected tests from now on, which saves time


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", [])
        if not config.getoption("--live") and ("deployment" in fixtures or "engine" in fixtures):
            item.add_marker(pytest.mark.local)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(300))  # `make local` may run before the first of these tests
        if item.nodeid.startswith(SLOW_FOLDERS):
            item.add_marker(pytest.mark.slow)
    if hasattr(config, "workerinput"):
        shares = _slow_shares(items)
        items.sort(key=lambda item: (not item.nodeid.startswith(DEPLOYMENT_FOLDERS), -shares[item.path]))


def _slow_shares(items: list[pytest.Item]) -> dict[Path, float]:
    """Return the share of slow test functions by file. A test function with a fast parameter is not slow."""
    slow_functions: dict[Path, dict[str, bool]] = {}
    for item in items:
        functions, name = slow_functions.setdefault(item.path, {}), item.nodeid.partition("[")[0]
        functions[name] = functions.get(name, True) and item.get_closest_marker("slow") is not None
    return {path: sum(functions.values()) / len(functions) for path, functions in slow_functions.items()}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Skip a test that fails because of a missing price. The contract `priced` reports each missing price once."""
    try:
        return (yield)
    except (UnpricedError, SystemExit) as error:
        message = str(error).removeprefix("error: ")
        if message in missing_prices():
            pytest.skip(f"a price is missing, see the contract `priced`: {message}")
        raise


class OneDeployment(LoadFileScheduling):  # type: ignore[misc] # pytest-xdist has no types
    """Gives all tests of a file to the same process, and all tests of the local deployment to one process.

    The tests of the deployment take the longest time, so they are the first. Files with mostly slow tests are next.
    xdist's own marker for this, `xdist_group`, has no effect with pytest 9.2 (findings/xdist-groups.sh).
    """

    def _split_scope(self, nodeid: str) -> str:
        return "the deployment" if nodeid.startswith(DEPLOYMENT_FOLDERS) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneDeployment | None:
    config.option.loadscopereorder = False  # the order of pytest_collection_modifyitems stays
    return OneDeployment(config, log) if config.getoption("dist") == "loadfile" else None
