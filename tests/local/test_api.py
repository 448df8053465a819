"""The API under every request that its own document can think of, under contention, and when AWS fails."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS
from schemathesis.generation import GenerationMode

from tests.smoke.test_api import OPENAPI, Client
from tests.support.deployment import Deployment

STACK = "compute-api"
NO_LIMIT = "1000000"


def api_id(gateway: Any) -> str:
    (api,) = [api for api in gateway.get_rest_apis()["items"] if api["name"] == STACK]
    return str(api["id"])


@contextmanager
def key_of_its_own(deployment: Deployment, name: str, **limits: Any) -> Iterator[str]:
    """The value of an API key with a usage plan of its own."""
    gateway = deployment.client("apigateway")
    stages = [{"apiId": api_id(gateway), "stage": "live"}]
    plan = gateway.create_usage_plan(name=name, apiStages=stages, **limits)["id"]
    key = gateway.create_api_key(name=name, enabled=True)
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    try:
        yield key["value"]
    finally:
        gateway.delete_usage_plan(usagePlanId=plan)
        gateway.delete_api_key(apiKey=key["id"])


@pytest.fixture(scope="module")
def call(deployment: Deployment) -> Iterator[Client]:
    """A client with a key of its own, and no limit to its rate."""
    gateway = deployment.client("apigateway")
    stage = {"restApiId": api_id(gateway), "stageName": "live"}
    before = gateway.get_stage(**stage)["methodSettings"]["*/*"]
    gateway.update_stage(**stage, patchOperations=_limits(NO_LIMIT, NO_LIMIT))
    with key_of_its_own(deployment, "no-limit") as key:
        yield Client(deployment.url(deployment.outputs("api")["ApiUrl"]), key)
    rate, burst = before["throttlingRateLimit"], before["throttlingBurstLimit"]
    gateway.update_stage(**stage, patchOperations=_limits(str(rate), str(burst)))


def _limits(rate: str, burst: str) -> list[dict[str, str]]:
    return [
        {"op": "replace", "path": f"/*/*/throttling/{name}Limit", "value": value}
        for name, value in (("rate", rate), ("burst", burst))
    ]


# -- whatever the document allows, and what it does not


UNSUITABLE = {"positive_data_acceptance"}  # a cursor that is made up looks like one, and is none of ours
CASES = [
    (path, method, mode)
    for path, item in OPENAPI["paths"].items()
    for method in item
    if method != "parameters"
    for mode in GenerationMode
    if (path, mode) != ("/v1/health", GenerationMode.NEGATIVE)  # it takes nothing that could be wrong
]


@pytest.mark.parametrize(("path", "method", "mode"), CASES)
def test_any_request_is_answered_as_the_document_says(
    call: Client, path: str, method: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_dict(OPENAPI)
    schema.config.update(base_url=call.url)
    names = [name for name in CHECKS.get_all_names() if name not in UNSUITABLE]
    assert {"status_code_conformance", "response_schema_conformance", "negative_data_rejection"} <= {*names}

    checks: Any = CHECKS.get_by_names(names)

    @given(case=schema[path][method.upper()].as_strategy(generation_mode=mode))
    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def answers_as_documented(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers=call.key, checks=checks)

    answers_as_documented()


# -- contention


@pytest.mark.timeout(300)  # fifty functions start, on two processors perhaps
def test_fifty_patches_at_once_lose_nothing(call: Client) -> None:
    call = Client(call.url, call.key["X-Api-Key"], at_once=50)
    created = call.create(body={})
    note = f"/notes/{created.json()['id']}"

    def add(number: int) -> str:
        seen = created.headers["ETag"]
        while (patched := _patch(call, note, number, seen)).status_code != 200:
            assert patched.status_code == 412
            seen = patched.headers["ETag"]  # a merge patch holds for any version: it adds a member
        return patched.headers["ETag"]

    with ThreadPoolExecutor(50) as pool:
        versions = list(pool.map(add, range(50)))
    patched = call("GET", note).json()
    assert patched["body"] == {str(number): number for number in range(50)}
    # Each made a version of its own. There may be more: a change whose answer DynamoDB sent too late for the function
    # counts as unmet when the next one has been made on top of it, and is made again.
    assert len({*versions}) == 50
    assert f'"{patched["version"]}"' in versions
    call("DELETE", note)


def _patch(call: Client, note: str, number: int, seen: str) -> requests.Response:
    return call("PATCH", note, json={"body": {str(number): number}}, headers={"If-Match": seen})


def test_fifty_creates_with_one_key_create_one_note(call: Client) -> None:
    once = {"Idempotency-Key": str(uuid.uuid4())}
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: call("POST", "/notes", json={"title": "smoke"}, headers=once), range(50)))
    assert {answer.status_code for answer in answers} == {201}
    (text,) = {answer.text for answer in answers}
    call("DELETE", f"/notes/{json.loads(text)['id']}")


# -- when AWS fails


@contextmanager
def outage(deployment: Deployment) -> Iterator[None]:
    """The function without its rights to the table."""
    iam = deployment.client("iam")
    role = deployment.client("cloudformation").describe_stack_resource(
        StackName=STACK, LogicalResourceId="Role1ABCC5F0"
    )
    name = role["StackResourceDetail"]["PhysicalResourceId"]
    denial = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="Outage", PolicyDocument=json.dumps(denial))
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="Outage")


def test_an_outage_is_told_and_over_when_it_is_over(call: Client, deployment: Deployment) -> None:
    hasty = Client(call.url, call.key["X-Api-Key"], patient=False)
    with outage(deployment):
        refused = hasty("GET", "/notes")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert "dynamodb" not in refused.text.lower(), "what it stands on is not the client's business"
        assert hasty("GET", "/health").status_code == 200
    assert call("GET", "/notes").status_code == 200


def test_the_quota_ends_with_429(deployment: Deployment, call: Client) -> None:
    with key_of_its_own(deployment, "poor", quota={"limit": 2, "period": "DAY"}) as key:
        poor = Client(call.url, key, patient=False)
        assert [poor("GET", "/notes").status_code for _ in range(3)] == [200, 200, 429]
