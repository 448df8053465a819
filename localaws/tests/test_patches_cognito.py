"""Tests of the patches of Cognito and of API Gateway's Cognito authorizers, with and without the patches."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from conftest import Client
from helpers import deploy_stack, wait_for

from localaws import LocalAws, Settings
from localaws.patches import cognito

NAME, PASSWORD = "anna", "Correct-horse-1"
FLOWS = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
RETURN_CLAIMS = (
    "def handler(event, _): return {'statusCode': 200, 'body': event['requestContext']['authorizer']['claims']['sub']}"
)


def new_pool(client: Client) -> tuple[str, str]:
    """Create a user pool with one user. Return the ids of the pool and of its app client."""
    cognito = client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="people")["UserPool"]["Id"]
    cognito.admin_create_user(UserPoolId=pool, Username=NAME, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username=NAME, Password=PASSWORD, Permanent=True)
    app = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="app", ExplicitAuthFlows=FLOWS, PreventUserExistenceErrors="ENABLED"
    )
    return pool, app["UserPoolClient"]["ClientId"]


def sign_in(client: Client, pool: str, app: str, name: str = NAME, password: str = PASSWORD) -> Any:
    """Return the tokens of a user. Raises ClientError if Cognito refuses."""
    return client("cognito-idp").admin_initiate_auth(
        UserPoolId=pool,
        ClientId=app,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": name, "PASSWORD": password},
    )["AuthenticationResult"]


# -- apigateway.accept_only_id_tokens


def deploy_api(client: Client, pool: str, scopes: list[str]) -> str:
    """Deploy an API with a Cognito authorizer, and return the URL of its only method. `scopes` are its OAuth scopes."""
    arn = client("cognito-idp").describe_user_pool(UserPoolId=pool)["UserPool"]["Arn"]
    api = {"RestApiId": {"Ref": "Api"}}
    role = "arn:aws:iam::000000000000:role/claims"
    function = {"Runtime": "python3.14", "Handler": "index.handler", "Role": role, "Code": {"ZipFile": RETURN_CLAIMS}}
    invocation = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"
    method = {
        **api,
        "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
        "HttpMethod": "GET",
        "AuthorizationType": "COGNITO_USER_POOLS",
        "AuthorizerId": {"Ref": "Authorizer"},
        **({"AuthorizationScopes": scopes} if scopes else {}),
        "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": {"Fn::Sub": invocation}},
    }
    authorizer = {
        **api,
        "Name": "people",
        "Type": "COGNITO_USER_POOLS",
        "IdentitySource": "method.request.header.Authorization",
        "ProviderARNs": [arn],
    }
    ids = deploy_stack(
        client,
        f"claims-{len(scopes)}",
        {
            "Function": ("AWS::Lambda::Function", function),
            "Api": ("AWS::ApiGateway::RestApi", {"Name": f"claims-{len(scopes)}"}),
            "Authorizer": ("AWS::ApiGateway::Authorizer", authorizer),
            "Method": ("AWS::ApiGateway::Method", method),
            "Deployment": ("AWS::ApiGateway::Deployment", api),
            "Stage": (
                "AWS::ApiGateway::Stage",
                {**api, "StageName": "live", "DeploymentId": {"Ref": "Deployment"}},
            ),
        },
    )
    return f"{client('s3').meta.endpoint_url}/_aws/execute-api/{ids['Api']}/live/"


def accepted_tokens(client: Client, scopes: list[str]) -> set[str]:
    """Return the kinds of tokens that the API accepts."""
    pool, app = new_pool(client)
    url, tokens = deploy_api(client, pool, scopes), sign_in(client, pool, app)
    statuses = {
        kind: requests.get(url, headers={"Authorization": tokens[f"{kind}Token"]}, timeout=30).status_code
        for kind in ("Id", "Access")
    }
    assert {*statuses.values()} <= {200, 401}
    return {kind for kind, status in statuses.items() if status == 200}


def test_a_method_without_scopes_accepts_only_id_tokens(stock: Client, patched: Client) -> None:
    assert accepted_tokens(stock, []) == {"Id", "Access"}
    assert accepted_tokens(patched, []) == {"Id"}


def test_a_method_with_scopes_accepts_access_tokens(stock: Client, patched: Client) -> None:
    for client in (stock, patched):
        assert accepted_tokens(client, ["aws.cognito.signin.user.admin"]) == {"Access"}


# -- cognito.lock_after_wrong_passwords


def answers_to_wrong_passwords(client: Client, pool: str, app: str, name: str, count: int) -> list[str]:
    """Try `count` wrong passwords. Return the messages of the errors."""
    messages = []
    for _ in range(count):
        with pytest.raises(ClientError) as refused:
            sign_in(client, pool, app, name, "wrong")
        messages.append(refused.value.response["Error"]["Message"])
    return messages


@pytest.mark.parametrize("name", [NAME, "nobody"])
def test_wrong_passwords_lock_a_user_for_a_moment(stock: Client, patched: Client, name: str) -> None:
    assert {*answers_to_wrong_passwords(stock, *new_pool(stock), name, 8)} == {"Incorrect username or password."}
    pool, app = new_pool(patched)
    *counted, locked = answers_to_wrong_passwords(patched, pool, app, name, 6)
    assert {*counted} == {"Incorrect username or password."}
    assert locked == "Password attempts exceeded"
    time.sleep(1.1)
    again = answers_to_wrong_passwords(patched, pool, app, name, 2)
    assert again == ["Incorrect username or password.", "Password attempts exceeded"], "the second lock is longer"


def test_a_locked_user_can_sign_in_after_the_lock(patched: Client) -> None:
    pool, app = new_pool(patched)
    answers_to_wrong_passwords(patched, pool, app, NAME, 5)
    with pytest.raises(ClientError, match="Password attempts exceeded"):
        sign_in(patched, pool, app)
    time.sleep(1.1)
    assert sign_in(patched, pool, app)["IdToken"]
    answers = answers_to_wrong_passwords(patched, pool, app, NAME, 5)
    assert "Password attempts exceeded" not in answers, "a sign-in sets the number of attempts to zero"


def test_wrong_passwords_are_forgotten_after_15_minutes_without_an_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(cognito, "time", SimpleNamespace(monotonic=lambda: now))
    wrong = json.dumps({"message": "Incorrect username or password."}).encode()
    sign_in_once = cognito._with_lock(lambda _request: (400, {}, wrong), {})

    def locked_after(seconds: float) -> bool:
        nonlocal now
        now += seconds
        _, _, body = sign_in_once({"ClientId": "app", "AuthParameters": {"USERNAME": "user"}})
        return b"Password attempts exceeded" in body

    assert [locked_after(0) for _ in range(6)] == [False] * 5 + [True]
    assert not locked_after(15 * 60 - 1), "the lock has ended, and this is the sixth wrong password"
    assert locked_after(1), "the sixth wrong password locks the user for two seconds"
    assert [locked_after(15 * 60)] + [locked_after(0) for _ in range(5)] == [False] * 5 + [True]


# -- cognito.limit_sign_ins


def errors_of_sign_ins(endpoint: str, pool: str, app: str, config: Config) -> list[str]:
    """Sign in four times at once. Return the sorted error codes, with an empty text for each success.

    The requests must arrive within a second, also on a slow machine.
    """

    def sign_in_with(client: Any) -> str:
        try:
            sign_in(lambda _service: client, pool, app)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    client = boto3.client(
        "cognito-idp",
        "us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=config,
    )
    with ThreadPoolExecutor(4) as threads:
        return sorted(threads.map(sign_in_with, [client] * 4))


def test_sign_ins_over_the_quota_are_refused_and_only_some_clients_repeat_them(stock: Client, tmp_path: Path) -> None:
    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    assert errors_of_sign_ins(stock("s3").meta.endpoint_url, *new_pool(stock), once) == [""] * 4
    aws = LocalAws(tmp_path, Settings(sign_ins_per_second=2))
    engine = aws.start()
    try:
        pool = new_pool(lambda service: aws.client(service, engine))
        refused = ["", "", *["TooManyRequestsException"] * 2]
        assert errors_of_sign_ins(engine.endpoint, *pool, once) == refused
        time.sleep(1)
        # Boto3 and the AWS CLI use the mode `legacy` by default. In this mode, botocore does not repeat the request.
        assert errors_of_sign_ins(engine.endpoint, *pool, Config(retries={"mode": "legacy"})) == refused
        patient = Config(retries={"mode": "standard", "total_max_attempts": 8})
        assert errors_of_sign_ins(engine.endpoint, *pool, patient) == [""] * 4
    finally:
        aws.stop()


# -- cognito.refuse_sign_up


def signed_up(client: Client, *, only_administrators: bool) -> bool:
    """Sign up to a new user pool. Return whether Cognito creates the user."""
    cognito = client("cognito-idp")
    config = {"AllowAdminCreateUserOnly": only_administrators}
    pool = cognito.create_user_pool(PoolName="people", AdminCreateUserConfig=config)["UserPool"]["Id"]
    app = cognito.create_user_pool_client(UserPoolId=pool, ClientName="app")["UserPoolClient"]["ClientId"]
    try:
        cognito.sign_up(ClientId=app, Username="eve", Password=PASSWORD)
    except cognito.exceptions.NotAuthorizedException:
        return False
    return True


def test_strangers_cannot_sign_up_if_administrators_create_users(stock: Client, patched: Client) -> None:
    assert signed_up(stock, only_administrators=True)
    assert not signed_up(patched, only_administrators=True)
    assert signed_up(patched, only_administrators=False)


# -- apigateway.send_denials_as_gateway_responses


def answer_to_stranger(client: Client) -> tuple[int, str]:
    """Deploy an API with IAM authorization, and call it as a user without permissions. Return status and body."""
    api = {"RestApiId": {"Ref": "Api"}}
    root = {"Fn::GetAtt": ["Api", "RootResourceId"]}
    method = {**api, "ResourceId": root, "HttpMethod": "GET", "AuthorizationType": "AWS_IAM"}
    response = {**api, "ResponseType": "ACCESS_DENIED", "ResponseTemplates": {"application/json": "our own text"}}
    ids = deploy_stack(
        client,
        "denials",
        {
            "Api": ("AWS::ApiGateway::RestApi", {"Name": "denials"}),
            "Method": ("AWS::ApiGateway::Method", {**method, "Integration": {"Type": "MOCK"}}),
            "Denied": ("AWS::ApiGateway::GatewayResponse", response),
            "Deployment": ("AWS::ApiGateway::Deployment", api),
            "Stage": (
                "AWS::ApiGateway::Stage",
                {**api, "StageName": "live", "DeploymentId": {"Ref": "Deployment"}},
            ),
        },
    )
    client("iam").create_user(UserName="stranger")
    key = client("iam").create_access_key(UserName="stranger")["AccessKey"]
    url = f"{client('s3').meta.endpoint_url}/_aws/execute-api/{ids['Api']}/live/"
    request = AWSRequest("GET", url)
    SigV4Auth(Credentials(key["AccessKeyId"], key["SecretAccessKey"]), "execute-api", "us-east-1").add_auth(request)
    answer = requests.get(url, headers=dict(request.headers.items()), timeout=30)
    return answer.status_code, answer.text


def test_a_denied_request_gets_the_gateway_response_of_the_api(stock: Client, patched: Client) -> None:
    status, text = answer_to_stranger(stock)
    assert (status, "our own text" in text) == (403, False)
    assert answer_to_stranger(patched) == (403, "our own text")


# -- cognito.refuse_to_delete_protected_pools


def status_after_deletion(client: Client) -> str:
    """Delete a stack with a protected user pool. Return the final status of the stack."""
    properties = {"UserPoolName": "protected", "DeletionProtection": "ACTIVE"}
    deploy_stack(client, "protected-pool", {"Users": ("AWS::Cognito::UserPool", properties)})
    cloudformation = client("cloudformation")
    stack_id = cloudformation.describe_stacks(StackName="protected-pool")["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName="protected-pool")

    def final_status() -> str | None:
        status = str(cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"])
        return None if status.endswith("IN_PROGRESS") else status

    return wait_for(final_status)


def test_a_protected_user_pool_is_not_deleted_with_its_stack(stock: Client, patched: Client) -> None:
    assert status_after_deletion(stock) == "DELETE_COMPLETE"
    assert status_after_deletion(patched) == "DELETE_FAILED"
