"""One local AWS for the whole run, deployed into by the real CDK CLI; or the person's account, with `--live`."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import hypothesis
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from xdist.scheduler import LoadScopeScheduling

from local.aws import Engine, LocalAws
from local.hosts import reached_at
from tests.handlers.thumbnail import pictures
from tests.support.by_hand import Shown, alive, make_local
from tests.support.folders import ROOT, share_assemblies
from tests.support.permissions import USED, Stack, differences, lacking, put_down, used

OF_THE_DEPLOYMENT = (
    "tests/smoke/",
    "tests/local/test_aws.py",
    "tests/local/test_api.py",
    "tests/local/test_lessons.py",
    "tests/local/test_up.py",
)
FILE_BY_FILE = (
    "tests/containers/",
    "tests/project/test_extract.py",
    "tests/local/test_containers_engine.py",
    "tests/local/test_extension.py",
    "tests/stacks/test_same_bytes.py",
)
Client = Callable[[str], Any]
"""Makes the client of a service."""


hypothesis.settings.register_profile("fast", max_examples=20)  # of `make test-fast`; a hundred, otherwise


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--live", action="store_true", help="smoke-test what is deployed in the account of your credentials"
    )
    parser.addoption("--prefix", default="compute", help="the deployment's prefix (with --live)")
    parser.addoption(
        "--meant", default="", help="stores whose loss is accepted with --snapshot-update: compute-api/Notes5BB3582F"
    )
    parser.addoption(
        "--permissions-update", action="store_true", help="put down what roles use (tests/contracts/allowed.json)"
    )


def pytest_configure(config: pytest.Config) -> None:
    # A process that runs tests for another may get it too, and is to be interrupted once: by that one.
    signal.signal(signal.SIGTERM, (lambda *_: None) if hasattr(config, "workerinput") else _interrupt)
    config.add_cleanup(share_assemblies())
    if config.getoption("numprocesses"):
        config.add_cleanup(_synthesize_meanwhile())


_processes: list[int] = []
"""Those that run tests for this one."""


def pytest_configure_node(node: Any) -> None:
    _processes.append(node.gateway._io.popen.pid)


def _interrupt(*_: object) -> None:
    # SIGTERM ends a run as Ctrl-C does: or it would leave the local AWS behind, and mounts of containers.
    for process in _processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGINT)
    raise KeyboardInterrupt


def pytest_keyboard_interrupt() -> None:
    # xdist interrupts a second time after five seconds; what is let go of meanwhile would stay behind.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _synthesize_meanwhile() -> Callable[[], None]:
    """Begin with the assemblies while the processes of the run import the tests; returns what waits for their end.

    Whatever goes wrong is told by the process that needs them, which then tries itself. Signals do not reach it: a
    synthesis that is interrupted leaves folders in /tmp.
    """
    command = [sys.executable, "-m", "tests.support.apps"]
    making = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)

    def end() -> None:
        making.wait()

    return end


def pytest_collection_finish() -> None:
    gc.freeze()  # what the tests are made of stays; to look through it again and again takes a tenth of the time


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", [])
        if not config.getoption("--live") and ("deployed" in fixtures or "engine" in fixtures):
            item.add_marker(pytest.mark.local)
        if item.nodeid.startswith(FILE_BY_FILE):
            item.add_marker(pytest.mark.slow)


class OneDeployment(LoadScopeScheduling):  # type: ignore[misc] # pytest-xdist has no types
    """Runs all tests of what is deployed in one process, so that it is deployed once; the others anywhere.

    Some stay together file by file: those of a container share its image, a server or a browser, others a synthesis
    or engines.
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(FILE_BY_FILE):
            return nodeid.partition("::")[0]
        return "deployed" if nodeid.startswith(OF_THE_DEPLOYMENT) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneDeployment | None:
    return OneDeployment(config, log) if config.getoption("dist") == "loadscope" else None


@dataclass(frozen=True)
class Deployment:
    """What the smoke tests know of it: clients, and the outputs of its stacks."""

    client: Client
    prefix: str
    url: Callable[[str], str] = str
    """Where the URL in an output is reached: on AWS, there."""
    is_local: bool = False
    """Whether it is the local AWS, which does not do everything."""

    def outputs(self, stem: str) -> dict[str, str]:
        """The outputs of one example's stack."""
        name = f"{self.prefix}-{stem.replace('_', '-')}"
        found = {stack["StackName"]: stack for stack in self.client("cloudformation").describe_stacks()["Stacks"]}
        if name not in found:
            pytest.skip(f"{name} is not deployed")
        stack = found[name]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload] # any service


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    aws = LocalAws(tmp_path_factory.mktemp("local") / "it's here")
    yield aws
    aws.stop()


@pytest.fixture(scope="session")
def shown(local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Everything deployed as a person does it, who has a photo of her own."""
    photo = tmp_path_factory.mktemp("photo") / "my `photo` ünd + %.png"
    photo.write_bytes(pictures.save(pictures.scene(), "PNG"))
    up = make_local("up", local_aws.folder, "--photo", str(photo))
    assert up.returncode == 0, up.stdout + up.stderr
    return Shown(up.stdout, photo)


@pytest.fixture(scope="session")
def engine(local_aws: LocalAws, shown: Shown) -> Engine:
    """The one that everything is deployed into."""
    engine = local_aws.running()
    assert engine, shown.text
    return engine


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Clients of an engine as it is published."""
    yield from _clients(LocalAws(tmp_path_factory.mktemp("stock"), extended=False))


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Clients of an engine with the mends of local/extension."""
    yield from _clients(LocalAws(tmp_path_factory.mktemp("extended")))


def _clients(aws: LocalAws) -> Iterator[Client]:
    engine = aws.start()
    yield lambda service: aws.client(service, engine)
    aws.stop()


def _through(endpoint: str) -> Callable[[str], str]:
    return lambda url: reached_at(url, endpoint)


def _in_the_account(prefix: str) -> Deployment:
    try:
        account = _client("sts").get_caller_identity()["Account"]
        stacks = [stack["StackName"] for stack in _client("cloudformation").describe_stacks()["Stacks"]]
    except (BotoCoreError, ClientError) as error:
        pytest.exit(f"no way into an AWS account ({error}); try: aws configure", returncode=1)
    if not any(name.startswith(f"{prefix}-") for name in stacks):
        pytest.exit(f"no stack {prefix}-… in account {account}; deploy first: make deploy", returncode=1)
    endpoint = os.environ.get("AWS_ENDPOINT_URL")  # the local AWS, standing in for an account
    return Deployment(
        client=_client, prefix=prefix, url=_through(endpoint) if endpoint else str, is_local=endpoint is not None
    )


@pytest.fixture(scope="session")
def deployed(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Every stack, deployed. Locally it is destroyed in the end, and nothing may be left."""
    if request.config.getoption("--live"):
        yield _in_the_account(request.config.getoption("--prefix"))
        return
    aws, engine = request.getfixturevalue("local_aws"), request.getfixturevalue("engine")
    yield Deployment(
        client=lambda service: aws.client(service, engine),
        prefix="compute",
        url=_through(engine.endpoint),
        is_local=True,
    )
    if request.session.exitstatus == pytest.ExitCode.INTERRUPTED:
        return  # it goes with the engine, at once: xdist kills this process after ten seconds
    stacks = Stack.all(aws.client("cloudformation", engine))
    faults = lacking(aws.permissions, stacks)
    record = aws.folder / "permissions.jsonl"
    record.hardlink_to(aws.permissions)  # which goes with the engine
    _leave_something_in_every_bucket(aws.client("s3", engine))
    _destroy(aws, engine)
    found, whole = used(record, stacks), _is_whole(request.session)
    if request.config.getoption("--permissions-update"):
        assert whole, "not every test of the deployment has passed: what they use would be missing"
        put_down(found, stacks, USED)
    faults += differences(found, stacks, USED, whole=whole)
    assert not faults, "\n".join(faults)


def _destroy(aws: LocalAws, engine: Engine) -> None:
    """Nothing is left, as a person sees it, but what she has made herself."""
    aws.client("s3", engine).create_bucket(Bucket="mine")
    down = make_local("down", aws.folder)
    assert down.returncode == 0, down.stdout + down.stderr
    assert "nothing is left: no stack, bucket, table, function" in down.stdout
    assert "but what you made yourself, which goes with the engine: bucket mine\n" in down.stdout
    assert not alive(engine.pid)
    again = make_local("down", aws.folder)
    assert (again.returncode, again.stdout) == (0, "==> no local AWS is running; nothing is left\n")


def _leave_something_in_every_bucket(s3: Any) -> None:
    # So that each has to empty itself, whatever the tests have left.
    for bucket in s3.list_buckets()["Buckets"]:
        if bucket["Name"].startswith("compute-"):
            s3.put_object(Bucket=bucket["Name"], Key="left behind")


def _is_whole(session: pytest.Session) -> bool:
    """Whether every test of the deployment has run to its end: what none of them uses is not used."""
    files = {item.path for item in session.items if "deployed" in getattr(item, "fixturenames", [])}
    chosen = any("::" in argument for argument in session.config.args) or session.config.getoption("keyword")
    smoke = {*(ROOT / "tests" / "smoke").glob("test_*.py")}
    others = {ROOT / path for path in OF_THE_DEPLOYMENT if path.endswith(".py")}
    return not chosen and not session.testsfailed and files >= smoke | others
