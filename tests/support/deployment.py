"""These fixtures return the deployed stacks that tests use.

The stacks are deployed into the local AWS, a program that imitates AWS on this machine. With the option `--live`, they
are the stacks in your AWS account.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from local.project import SETTINGS
from localaws.aws import Engine, LocalAws
from localaws.urls import local_url
from scripts.aws_errors import explain
from tests.support.folders import ROOT
from tests.support.make_local import MakeLocalRun, make_local

ClientFactory = Callable[[str], Any]
"""Returns a boto3 client for the service with this name."""


@dataclass(frozen=True)
class Deployment:
    """The deployed stacks, and the clients with which tests call AWS."""

    client: ClientFactory
    prefix: str
    url: Callable[[str], str] = str
    """Returns the URL that tests must call for a URL in a stack's outputs. On AWS, both are equal."""
    is_local: bool = False
    """Whether these are stacks in the local AWS, which lacks some features of AWS."""

    def outputs(self, stem: str) -> dict[str, str]:
        """Return the outputs of an example's stack. Skip the test if the stack is not deployed."""
        name = f"{self.prefix}-{stem.replace('_', '-')}"
        stacks = {stack["StackName"]: stack for stack in self.client("cloudformation").describe_stacks()["Stacks"]}
        if name not in stacks:
            pytest.skip(f"{name} is not deployed")
        return {output["OutputKey"]: output["OutputValue"] for output in stacks[name]["Outputs"]}


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    aws = LocalAws(tmp_path_factory.mktemp("local") / "it's hére ☕", SETTINGS)
    yield aws
    aws.stop()


@pytest.fixture(scope="session")
def make_local_run(local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> MakeLocalRun:
    """Run `make local` once, with a picture whose file name a shell must quote."""
    from tests.handlers.thumbnail import pictures  # noqa: PLC0415 - the import of its packages is slow

    photo = tmp_path_factory.mktemp("photo") / "my `photo` ünd + %.png"
    photo.write_bytes(pictures.save(pictures.scene(), "PNG"))
    up = make_local("up", local_aws.folder, "--photo", str(photo))
    assert up.returncode == 0, up.stdout + up.stderr
    return MakeLocalRun(up.stdout, photo)


@pytest.fixture(scope="session")
def engine(local_aws: LocalAws, make_local_run: MakeLocalRun) -> Engine:
    """Return the engine, the process of the local AWS, in which the stacks are deployed."""
    engine = local_aws.running_engine()
    assert engine, make_local_run.output
    return engine


@pytest.fixture(scope="session")
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Yield all deployed stacks. After the last test, destroy the stacks in the local AWS. Nothing may remain."""
    from config import PROFILES  # noqa: PLC0415 - most tests do not need CDK, which starts slowly
    from tests.support.apps import PREFIX  # noqa: PLC0415

    if request.config.getoption("--live"):
        profile, prefix = request.config.getoption("--profile") or "sandbox", request.config.getoption("--prefix")
        yield _deployment_in_account(prefix or PROFILES[profile]().prefix)
        return
    aws, engine = request.getfixturevalue("local_aws"), request.getfixturevalue("engine")
    yield Deployment(
        client=lambda service: aws.client(service, engine),
        prefix=PREFIX,
        url=lambda url: local_url(url, engine.endpoint),
        is_local=True,
    )
    if request.session.exitstatus == pytest.ExitCode.INTERRUPTED:
        return  # there is no time for a clean destruction, because xdist kills this process after ten seconds
    _check_destruction_and_permissions(request, aws, engine)


def _check_destruction_and_permissions(request: pytest.FixtureRequest, aws: LocalAws, engine: Engine) -> None:
    from tests.support import permissions  # noqa: PLC0415 - most tests do not need CDK, which starts slowly

    stacks = permissions.Stack.all(aws.client("cloudformation", engine))
    # This call comes before the destruction, because the destruction removes permissions of functions that still run.
    faults = permissions.missing_permissions(aws.permissions_file, stacks)
    record = aws.folder / "permissions.jsonl"
    record.hardlink_to(aws.permissions_file)  # the engine deletes its file when it ends
    _put_an_object_into_every_bucket(aws.client("s3", engine))
    _destroy(aws, engine)
    used, complete = permissions.used_permissions(record, stacks), _is_complete(request.session)
    if request.config.getoption("--permissions-update"):
        assert complete, "all tests of the deployment must run and pass, because the record needs their permissions"
        permissions.write_used(used, stacks, permissions.USED_FILE)
    faults += permissions.differences(used, stacks, permissions.USED_FILE, complete=complete)
    assert not faults, "\n".join(faults)


def _destroy(aws: LocalAws, engine: Engine) -> None:
    """Run `make local-down`. Afterwards, only the bucket that this function creates exists."""
    aws.client("s3", engine).create_bucket(Bucket="mine")
    down = make_local("down", aws.folder)
    assert down.returncode == 0, down.stdout + down.stderr
    assert "no resource of the stacks is left: no stack, bucket, table, function" in down.stdout
    assert max(map(len, down.stdout.splitlines())) <= 110, "a terminal would break the line in the middle of a word"
    assert "bucket mine\n" in down.stdout
    assert not psutil.pid_exists(engine.pid)
    assert aws.has_images == bool(engine.tool.storage), "podman's images must stay, and nothing else"
    second_down = make_local("down", aws.folder)
    assert (second_down.returncode, second_down.stdout) == (0, "==> no local AWS is running, so nothing is left\n")
    assert make_local("clean", aws.folder).returncode == 0
    assert not aws.has_images, "make clean must remove the images of podman, too"


def _put_an_object_into_every_bucket(s3: Any) -> None:
    from tests.support.apps import PREFIX  # noqa: PLC0415 - most tests do not need CDK, which starts slowly

    # CloudFormation cannot delete a bucket with an object. If the destruction succeeds, every bucket was emptied.
    for bucket in s3.list_buckets()["Buckets"]:
        if bucket["Name"].startswith(f"{PREFIX}-"):
            s3.put_object(Bucket=bucket["Name"], Key="left behind")


def _is_complete(session: pytest.Session) -> bool:
    """Whether every test of the deployment ran and passed. If not, the tests that did not run may need a permission."""
    files = {item.path for item in session.items}
    expected = {path for folder in ("smoke", "local") for path in (ROOT / "tests" / folder).glob("test_*.py")}
    is_selection = any("::" in argument for argument in session.config.args) or session.config.getoption("keyword")
    return not is_selection and not session.testsfailed and files >= expected


def _deployment_in_account(prefix: str) -> Deployment:
    from scripts.check_profile import deployed_stacks  # noqa: PLC0415 - most tests do not need CDK, which starts slowly

    try:
        account = _account_client("sts").get_caller_identity()["Account"]
        stacks = deployed_stacks(prefix)
    except (BotoCoreError, ClientError) as error:
        pytest.exit(explain(error), returncode=1)
    if not stacks:
        pytest.exit(f"no stack {prefix}-… in account {account} and this region. Try: make deploy", returncode=1)
    endpoint = os.environ.get("AWS_ENDPOINT_URL")  # if this variable is set, it is the URL of the local AWS
    if endpoint is None:
        return Deployment(client=_account_client, prefix=prefix)
    return Deployment(client=_account_client, prefix=prefix, url=lambda url: local_url(url, endpoint), is_local=True)


def _account_client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload] # any service
