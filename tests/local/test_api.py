"""Tests of the API in the local AWS: generated requests, many clients at the same time, and failures of AWS.

The local AWS is a program that imitates AWS on this machine. openapi.json describes the API.
"""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis.checks import CHECKS
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode

from local.api_callers import bearer, person, sign_in
from tests.smoke.test_api import OPENAPI, ApiClient
from tests.support.apps import stack_name
from tests.support.deployment import Deployment

STACK = stack_name("api")
NO_LIMIT = "1000000"
"""A rate and burst limit that no test reaches."""


def api_id(gateway: Any) -> str:
    (api,) = [api for api in gateway.get_rest_apis()["items"] if api["name"] == STACK]
    return str(api["id"])


@contextmanager
def new_key(deployment: Deployment, name: str, **limits: Any) -> Iterator[str]:
    """Create an API key with its own usage plan, and yield the value of the key."""
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
def api_client(deployment: Deployment) -> Iterator[ApiClient]:
    """Yield a client with its own key. While the tests of this file run, the API has no rate limit."""
    gateway = deployment.client("apigateway")
    stage = {"restApiId": api_id(gateway), "stageName": "live"}
    original_limits = gateway.get_stage(**stage)["methodSettings"]["*/*"]
    gateway.update_stage(**stage, patchOperations=_limit_operations(NO_LIMIT, NO_LIMIT))
    with new_key(deployment, "no-limit") as key:
        yield ApiClient(deployment.url(deployment.outputs("api")["ApiUrl"]), key)
    rate, burst = original_limits["throttlingRateLimit"], original_limits["throttlingBurstLimit"]
    gateway.update_stage(**stage, patchOperations=_limit_operations(str(rate), str(burst)))


def _limit_operations(rate: str, burst: str) -> list[dict[str, str]]:
    return [
        {"op": "replace", "path": f"/*/*/throttling/{name}Limit", "value": value}
        for name, value in (("rate", rate), ("burst", burst))
    ]


# -- generated requests, both valid and invalid

# This check would fail, because the API rejects generated cursors. They fit the schema, but the API did not send them.
SKIPPED_CHECKS = {"positive_data_acceptance"}
CASES = [
    (path, method, mode)
    for path, item in OPENAPI["paths"].items()
    for method in item
    if method != "parameters" and path != "/v2/export"  # each request would need a signature of its own
    for mode in GenerationMode
    if (path, mode) != ("/v1/health", GenerationMode.NEGATIVE)  # this operation has no parameter that could be invalid
]


@pytest.fixture(scope="module")
def credentials(api_client: ApiClient, deployment: Deployment) -> Iterator[dict[str, str]]:
    """Yield the headers with an API key for version 1, and with the ID token of a person for version 2."""
    cognito, outputs = deployment.client("cognito-idp"), deployment.outputs("api")
    with person(cognito, outputs, f"{uuid.uuid4()}@example.com") as someone:
        yield {**api_client.key, **bearer(sign_in(cognito, outputs, someone)["IdToken"])}


def has_fault_besides_headers(case: schemathesis.Case[Any]) -> bool:
    """Return whether a part is invalid that the test does not replace. It replaces the headers with credentials."""
    parts = case.meta.components if case.meta else {}
    return any(
        part.mode is GenerationMode.NEGATIVE for place, part in parts.items() if place is not ParameterLocation.HEADER
    )


@pytest.mark.parametrize(("path", "method", "mode"), CASES)
def test_generated_requests_get_documented_answers(
    api_client: ApiClient, credentials: dict[str, str], path: str, method: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_dict(OPENAPI)
    schema.config.update(base_url=api_client.url)
    names = [name for name in CHECKS.get_all_names() if name not in SKIPPED_CHECKS]
    assert {"status_code_conformance", "response_schema_conformance", "negative_data_rejection"} <= {*names}

    checks: Any = CHECKS.get_by_names(names)

    @given(case=schema[path][method.upper()].as_strategy(generation_mode=mode))
    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def answer_is_documented(case: schemathesis.Case[Any]) -> None:
        if mode is GenerationMode.NEGATIVE:
            assume(has_fault_besides_headers(case))
        case.call_and_validate(headers=credentials, checks=checks)

    answer_is_documented()


# -- many clients at the same time


@pytest.mark.timeout(300)  # fifty copies of the function start, sometimes on only two processors
def test_fifty_simultaneous_patches_are_all_stored(api_client: ApiClient) -> None:
    api_client = ApiClient(api_client.url, api_client.key["X-Api-Key"], max_requests=50)
    created = api_client.create(body={})
    note = f"/notes/{created.json()['id']}"

    def add_member(number: int) -> str:
        etag = created.headers["ETag"]
        while (patched := _patch(api_client, note, number, etag)).status_code != 200:
            assert patched.status_code == 412
            # The patch adds one member to the body, so the client can apply the patch to any version of the note.
            etag = patched.headers["ETag"]
        return patched.headers["ETag"]

    with ThreadPoolExecutor(50) as pool:
        versions = list(pool.map(add_member, range(50)))
    patched = api_client.send("GET", note).json()
    assert patched["body"] == {str(number): number for number in range(50)}
    # Each patch made its own version of the note, but there may be more versions. If DynamoDB answers too late,
    # botocore repeats a write that DynamoDB has already stored. If another client has then changed the note, the
    # function answers 412, and the client sends its patch again.
    assert len({*versions}) == 50
    assert f'"{patched["version"]}"' in versions
    api_client.send("DELETE", note)


def _patch(api_client: ApiClient, note: str, number: int, etag: str) -> requests.Response:
    return api_client.send("PATCH", note, json={"body": {str(number): number}}, headers={"If-Match": etag})


def test_fifty_simultaneous_posts_with_one_idempotency_key_create_one_note(api_client: ApiClient) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda _: api_client.send("POST", "/notes", json={"title": "smoke"}, headers=key), range(50))
        )
    assert {answer.status_code for answer in answers} == {201}
    (text,) = {answer.text for answer in answers}
    api_client.send("DELETE", f"/notes/{json.loads(text)['id']}")


# -- failures of AWS


@contextmanager
def outage(deployment: Deployment) -> Iterator[None]:
    """Deny the function all access to the table, until the end of the `with` block."""
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


def test_during_an_outage_requests_get_503_and_retry_after(api_client: ApiClient, deployment: Deployment) -> None:
    client = ApiClient(api_client.url, api_client.key["X-Api-Key"], retry_429=False)
    with outage(deployment):
        answer = client.send("GET", "/notes")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert "dynamodb" not in answer.text.lower(), "the answer must not name the AWS service"
        assert client.send("GET", "/health").status_code == 200
    assert api_client.send("GET", "/notes").status_code == 200


def test_requests_over_the_quota_get_429(deployment: Deployment, api_client: ApiClient) -> None:
    with new_key(deployment, "small-quota", quota={"limit": 2, "period": "DAY"}) as key:
        client = ApiClient(api_client.url, key, retry_429=False)
        assert [client.send("GET", "/notes").status_code for _ in range(3)] == [200, 200, 429]
