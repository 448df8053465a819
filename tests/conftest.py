"""Options of pytest, and how the tests are spread over processes. The fixtures are in tests/support/deployment.py."""

import contextlib
import gc
import os
import signal
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from tests.support.folders import share_assemblies

pytest_plugins = ["tests.support.deployment"]

ROOMS_OF_THE_DEPLOYMENT = ("tests/smoke/", "tests/local/")
"""Folders whose tests use the one local deployment, so they run in one process."""
SLOW_FOLDERS = ("tests/containers/",)
"""Folders whose tests start servers, browsers or containers."""

hypothesis.settings.register_profile("fast", max_examples=20)  # for `make test-fast`; otherwise 100 examples


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--live", action="store_true", help="smoke-test the stacks in the account of your credentials")
    parser.addoption("--prefix", default="compute", help="prefix of the deployed stacks (with --live)")
    parser.addoption(
        "--meant", default="", help="stores that --snapshot-update may lose, such as compute-api/Notes5BB3582F"
    )
    parser.addoption(
        "--permissions-update",
        action="store_true",
        help="write the permissions that the roles use into tests/contracts/used_permissions.json",
    )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        signal.signal(signal.SIGTERM, _interrupt)
    config.add_cleanup(share_assemblies())


_workers: list[int] = []
"""Process ids of the processes that run tests for this one."""


def pytest_configure_node(node: Any) -> None:
    _workers.append(node.gateway._io.popen.pid)


def _interrupt(*_: object) -> None:
    # SIGTERM ends a run as Ctrl-C does. Otherwise the local AWS and its containers would stay behind.
    for process in _workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGINT)
    raise KeyboardInterrupt


def pytest_keyboard_interrupt() -> None:
    # xdist sends a second SIGINT after five seconds, which would stop the clean-up half way.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def pytest_collection_finish() -> None:
    gc.freeze()  # the collected tests stay; without this the garbage collector scans them again and again


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", [])
        if not config.getoption("--live") and ("deployment" in fixtures or "engine" in fixtures):
            item.add_marker(pytest.mark.local)
        if item.nodeid.startswith(SLOW_FOLDERS):
            item.add_marker(pytest.mark.slow)


class OneDeployment(LoadFileScheduling):  # type: ignore[misc] # pytest-xdist has no types
    """Gives each process whole files, and all tests of the local deployment to the same process.

    xdist's own marker for this, `xdist_group`, has no effect with pytest 9.2 (findings/xdist-groups.sh).
    """

    def _split_scope(self, nodeid: str) -> str:
        return "the deployment" if nodeid.startswith(ROOMS_OF_THE_DEPLOYMENT) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneDeployment | None:
    return OneDeployment(config, log) if config.getoption("dist") == "loadfile" else None
