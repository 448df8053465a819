"""In this test, a fork changes every setting in config.py. Its local deployment, smoke tests and documents must work.

The folder of the fork has spaces and unusual letters in its path.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from aws_cdk.aws_logs import RetentionDays

from config import PROFILES, Config, from_context
from local.project import context
from localaws import Engine, LocalAws
from tests.support.forks import change_settings, copy_project

CHANGED: Mapping[str, Any] = {
    "prefix": "mine-2",
    "alarm_email": "me@example.com",
    "organization_rules": True,
    "thumbnail_max_edge": 400,
    "thumbnail_concurrency": 50,
    "cron_urls": ("https://a.example/", "https://b.example/"),
    "cron_schedule": "cron(0 8-18 ? * MON-FRI *)",
    "cron_time_zone": "Europe/Vienna",
    "cron_longest_gap": 3780,
    "cron_allow_private": True,
    "api_allowed_origin": "https://notes.example.com",
    "websocket_access_log": True,
    "api_self_sign_up": True,
    "api_callback_urls": ("https://notes.example.com/signed-in",),
    "api_domain_name": "api.example.com",
    "api_certificate_arn": "arn:aws:acm:us-east-1:000000000000:certificate/0f",
    "api_base_path": "shop",
    "architecture": "x86_64",
    "vpc": "vpc-0aaaaaaa/eu-west-1a:subnet-0aaaaaaa,eu-west-1b:subnet-0bbbbbbb",
    "publish_web_image": False,
    "web_image": "web:v1",
    "function_image_name": "mine:v1",
    "web_certificate_arn": "arn:aws:acm:us-east-1:000000000000:certificate/0f",
    "lightsail_blueprint": "wordpress",
    "lightsail_bundle": "small_3_0",
    "lightsail_ssh_cidr": "192.0.2.44/32",
    "lightsail_disk": True,
    "lightsail_database": "postgres_16",
    "lightsail_bucket": True,
    "batch_max_vcpus": 16,
    "batch_instance_types": ("c6i.large",),
    "batch_schedule": "cron(0 3 * * ? *)",
    "batch_monthly_budget": 25,
    "batch_image": "public.ecr.aws/a/b:c",
}
"""Other values for both profiles."""
CHANGED_SANDBOX = {
    "retain_data": True,
    "log_retention": RetentionDays.ONE_MONTH,
    "watch_closely": True,
    "container_insights": True,
}
CHANGED_PRODUCTION = {
    "retain_data": False,
    "log_retention": RetentionDays.ONE_YEAR,
    "watch_closely": False,
    "container_insights": False,
}
UNCHANGED = {"profile", "availability_zones"}
"""A fork gives no other name to a profile. The setting vpc excludes availability_zones."""


@pytest.mark.parametrize("changed", [CHANGED_SANDBOX, CHANGED_PRODUCTION], ids=["sandbox", "production"])
def test_the_fork_changes_every_setting(changed: Mapping[str, Any]) -> None:
    assert {*CHANGED, *changed} == {each.name for each in fields(Config)} - UNCHANGED


class Fork:
    """A copy of the project with other settings, and the environment in which its programs run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.aws = LocalAws(folder / ".local")
        copy_project(folder)
        change_settings(folder, "sandbox", {**CHANGED, **CHANGED_SANDBOX})
        change_settings(folder, "production", {**CHANGED, **CHANGED_PRODUCTION})
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "TESTS_"))}
        self.environment = {
            **inherited,
            "CDK_VALIDATION": "false",
            "LOCAL_CONTAINERS": "none",
            "TESTS_ASSEMBLIES": str(folder / "cdk.out"),
        }

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Run Python with these arguments, and return its output."""
        run = subprocess.run(
            [self.folder / ".venv" / "bin" / "python", *arguments],
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def test(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Run tests of the fork, and return the last line of pytest's output."""
        output = self.run("-m", "pytest", "-q", "-n0", "-pno:cacheprovider", *arguments, environment=environment)
        return output.splitlines()[-1]


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fork]:
    fork = Fork(tmp_path_factory.mktemp("forks") / "a b" / "ü ☕")
    yield fork
    fork.aws.stop()


@pytest.mark.local
@pytest.mark.fork
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_local_deployment_and_the_smoke_tests_of_a_fork_work(fork: Fork) -> None:
    output = fork.run("-m", "local", "up")
    assert "the local AWS stores the server mine-2-lightsail-server" in output
    engine = fork.aws.running_engine()
    assert engine
    local_aws = {"AWS_ENDPOINT_URL": engine.endpoint, **fork.aws.environment(engine)}
    no_rates = ("--deselect", "tests/smoke/test_api.py::test_requests_over_the_rate_get_429_and_retry_after")
    assert " passed" in fork.test("tests/smoke", "--live", *no_rates, environment=local_aws)
    assert "retain_data protects mine-2-api" in fork.run("-m", "local", "down")
    assert fork.aws.running_engine() is None


@pytest.mark.fork
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_documents_of_a_fork_are_correct_after_make_docs(fork: Fork) -> None:
    fork.run("-m", "tools.documents")
    assert " passed" in fork.test("tests/docs")
    assert "make local STACK=mine-2-thumbnail" in (fork.folder / "README.md").read_text(encoding="utf-8")


def test_the_local_deployment_does_not_use_the_zones_of_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(PROFILES["sandbox"](), vpc=None, availability_zones=("eu-west-1a", "eu-west-1b"))
    monkeypatch.setattr("config.PROFILES", {"sandbox": lambda: config})
    assert from_context({}).availability_zones
    assert from_context(context(Engine(pid=1, port=1))).availability_zones == ()
