"""These tests deploy the API with a custom domain into a local AWS of their own, and call it with this domain.

The local AWS is a program that imitates AWS on this machine. It has no DNS and no certificates, so the requests go to
its address, and only their Host header has the name of the domain.
"""

from collections.abc import Callable
from urllib.parse import urljoin

import pytest
import requests

from app import build_app
from local.api import api_key
from local.api_callers import bearer, person, sign_in
from local.project import context
from localaws import Engine, LocalAws
from localaws.cdk import Cdk
from localaws.urls import local_url
from tests.smoke.test_api import PROBLEM
from tests.support.apps import stack_name, without_validation
from tests.support.deployment import ClientFactory

pytestmark = [pytest.mark.local, pytest.mark.timeout(300)]

DOMAIN = "api.example.com"
SETTINGS = {
    "api_domain_name": DOMAIN,
    "api_certificate_arn": "arn:aws:acm:us-east-1:000000000000:certificate/12345678-1234-1234-1234-123456789012",
    "api_base_path": "shop",
}
Send = Callable[..., requests.Response]
"""Sends a request to a path of the domain: `send("GET", "/shop/v1/health")`."""


@pytest.fixture(scope="module")
def outputs(empty_engine: tuple[LocalAws, Engine], empty_aws: ClientFactory) -> dict[str, str]:
    """Deploy the stack of the API, and return its outputs."""
    aws, engine = empty_engine
    cdk = Cdk(aws, engine)
    with without_validation():
        build_app({**context(engine), **SETTINGS, "stacks": stack_name("api")}, outdir=str(cdk.assembly)).synth()
    cdk.bootstrap()
    cdk.deploy()
    (stack,) = empty_aws("cloudformation").describe_stacks(StackName=stack_name("api"))["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


@pytest.fixture(scope="module")
def send(empty_engine: tuple[LocalAws, Engine], outputs: dict[str, str]) -> Send:
    assert outputs["DomainUrl"] == f"https://{DOMAIN}/shop/"
    _, engine = empty_engine

    def send_(method: str, path: str, headers: dict[str, str] | None = None, **options: object) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            url = f"{engine.endpoint}{path}"
            return session.request(method, url, headers={"Host": DOMAIN, **(headers or {})}, timeout=60, **options)  # type: ignore[arg-type] # options of requests

    return send_


def test_both_versions_answer_below_the_base_path(
    send: Send, outputs: dict[str, str], empty_aws: ClientFactory
) -> None:
    assert send("GET", "/shop/v1/health").json() == {"status": "ok"}
    key = {"X-Api-Key": api_key(empty_aws("apigateway"), outputs)}
    cognito = empty_aws("cognito-idp")
    with person(cognito, outputs, "anna@example.com") as anna:
        token = bearer(sign_in(cognito, outputs, anna)["IdToken"])
        for headers, notes in ((key, "/shop/v1/notes"), (token, "/shop/v2/notes")):
            created = send("POST", notes, headers, json={"title": "at my own domain"})
            assert created.status_code == 201
            note = urljoin(f"https://{DOMAIN}{notes}", created.headers["Location"])
            assert note == f"https://{DOMAIN}{notes}/{created.json()['id']}", "Location leads to another path"
            assert send("GET", note.removeprefix(f"https://{DOMAIN}"), headers).json() == created.json()


def test_a_link_to_version_2_stays_below_the_base_path(
    send: Send, outputs: dict[str, str], empty_aws: ClientFactory
) -> None:
    key = {"X-Api-Key": api_key(empty_aws("apigateway"), outputs)}
    target = send("GET", "/shop/v1/notes", key).links["successor-version"]["url"]
    assert urljoin(f"https://{DOMAIN}/shop/v1/notes", target) == f"https://{DOMAIN}/shop/v2/notes"


@pytest.mark.parametrize("path", ["/shop/v2/notes", "/shop/v2/export", "/shop", "/shop/", "/shop/live/v1/health"])
def test_a_refusal_below_the_base_path_is_a_problem_of_the_api(send: Send, path: str) -> None:
    answer = send("GET", path)
    PROBLEM.validate(answer.json())
    assert answer.status_code == (401 if path == "/shop/v2/notes" else 404)


@pytest.mark.parametrize("path", ["/", "/v1/health", "/live/v1/health", "/other/v1/health", "/shopping/v1/health"])
def test_api_gateway_refuses_a_path_without_the_base_path(send: Send, path: str) -> None:
    answer = send("GET", path)
    assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})


def test_the_default_address_still_works(empty_engine: tuple[LocalAws, Engine], outputs: dict[str, str]) -> None:
    _, engine = empty_engine
    answer = requests.get(f"{local_url(outputs['ApiUrl'], engine.endpoint)}v1/health", timeout=60)
    assert answer.json() == {"status": "ok"}
