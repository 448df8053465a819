"""These tests run `python -m console` with the read-only policy of docs/console.md, as for a real account.

The local AWS checks the permissions of users. So it stands for the real account.
"""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.examples import ORDER
from localaws.aws import Engine
from tests.support.deployment import Deployment
from tests.support.folders import ROOT

USER = "console-reader"
READ = re.compile(r"(Describe|Get|List|Query$|Scan$|Filter|BatchGet)")
WITHOUT_CREDENTIALS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def policy() -> str:
    found = re.search(r"```json\n(.*?)```", (ROOT / "docs" / "console.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def test_the_policy_in_the_document_allows_only_reading() -> None:
    actions = [action for statement in json.loads(policy())["Statement"] for action in statement["Action"]]
    assert actions == [action for action in actions if READ.match(action.partition(":")[2])]
    assert not {"*", "apigateway:GET", "secretsmanager:GetSecretValue", "ssm:GetParameter"}.intersection(actions)


@contextmanager
def running_console(variables: dict[str, str]) -> Iterator[str]:
    """Run `python -m console --prefix compute` with these variables, and yield its address."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "console", "--prefix", "compute"],
        cwd=ROOT,
        env={**inherited, **WITHOUT_CREDENTIALS, **variables},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found, "the console has printed no address"
        yield found[0]
    finally:
        process.terminate()
        process.communicate(timeout=20)


def read(address: str) -> tuple[int, str]:
    """Return the status and the body of an answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="module")
def reader_console(engine: Engine, deployment: Deployment) -> Iterator[str]:
    """Yield the address of a console whose user only has the permissions of the policy."""
    iam = deployment.client("iam")
    iam.create_user(UserName=USER)
    iam.put_user_policy(UserName=USER, PolicyName="read", PolicyDocument=policy())
    key = iam.create_access_key(UserName=USER)["AccessKey"]
    variables = {
        "AWS_ENDPOINT_URL": engine.endpoint,
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    with running_console(variables) as address:
        yield address
    iam.delete_access_key(UserName=USER, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=USER, PolicyName="read")
    iam.delete_user(UserName=USER)


@pytest.mark.parametrize("path", ["/", "/events", *(f"/examples/{stem}" for stem in ORDER)])
def test_each_page_needs_only_the_permissions_of_the_document(reader_console: str, path: str) -> None:
    status, body = read(f"{reader_console}{path}")
    assert status == 200, body
    notices = re.findall(r'role="alert">(.*?)</p>', body)
    assert (notices, "AccessDenied" in body, "not authorized" in body) == ([], False, False)


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/examples/api/note?id=x", 200, "This note does not exist any more."),
        ("/examples/thumbnail/pictures?key=x", 404, "S3 has no such object"),
    ],
)
def test_what_a_person_opens_on_a_page_needs_only_these_permissions(
    reader_console: str, path: str, status: int, text: str
) -> None:
    found, body = read(f"{reader_console}{path}")
    assert (found, text in body) == (status, True), f"{body} Does docs/console.md list each permission?"


def test_the_pages_of_a_real_account_have_no_buttons(reader_console: str) -> None:
    found = {
        stem: re.findall(r"hx-(?:post|put|patch|delete)=", read(f"{reader_console}/examples/{stem}")[1])
        for stem in ORDER
    }
    assert found == {stem: [] for stem in ORDER}


def test_the_head_names_the_account(reader_console: str) -> None:
    assert "your AWS account, compute-…" in read(f"{reader_console}/")[1]
    assert "The console only reads" in read(f"{reader_console}/")[1]


def test_without_credentials_the_page_says_what_to_do(tmp_path: Path) -> None:
    with running_console({"HOME": str(tmp_path)}) as address:
        status, body = read(f"{address}/")
    assert status == 503
    assert "Unable to locate credentials" in body
    assert "aws configure" in body
