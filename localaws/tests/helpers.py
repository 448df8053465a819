"""Helpers that wait for a condition, deploy stacks, update stacks with change sets, and create Lambda functions."""

import io
import json
import uuid
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import boto3
from conftest import Client
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from localaws.environment import ACCESS_KEY, REGION

Value = TypeVar("Value")


def wait_for(read_value: Callable[[], Value | None], *, seconds: float = 30) -> Value:
    """Call `read_value` until it returns a true value, and return this value. Raises RetryError after `seconds`."""
    retrying = Retrying(
        stop=stop_after_delay(seconds), wait=wait_fixed(0.1), retry=retry_if_result(lambda value: not value)
    )
    return retrying(read_value)  # type: ignore[return-value] # never None


def deploy_stack(client: Client, name: str, resources: Mapping[str, tuple[str, Any]], **options: Any) -> dict[str, str]:
    """Create a stack from `{logical id: (type, properties)}`. Return the physical id of each logical id."""
    template_resources = {
        logical_id: {"Type": kind, "Properties": properties} for logical_id, (kind, properties) in resources.items()
    }
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": template_resources}), **options)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    stack_resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in stack_resources}


def own_client(client: Client, service: str) -> Any:
    """Return a new boto3 client, for a test that registers event handlers. All other tests share one client."""
    return boto3.client(  # type: ignore[call-overload] # the types have one overload for each service
        service,
        endpoint_url=client(service).meta.endpoint_url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=ACCESS_KEY,
    )


def s3_client(endpoint: str, credentials: Mapping[str, str]) -> Any:
    """Return an S3 client that uses these credentials, which IAM or STS has returned."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials.get("SessionToken"),
    )


def policy(*statements: Mapping[str, Any]) -> str:
    """Return a policy document as JSON. Each statement has the effect Allow and the resource `*` by default."""
    full_statements = [{"Effect": "Allow", "Resource": "*", **statement} for statement in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": full_statements})


def trust_policy(principal: Mapping[str, str]) -> str:
    """Return the JSON document that allows this principal to use a role."""
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def zip_of(files: Mapping[str, str]) -> bytes:
    """Return the bytes of a zip file with these names and texts. Equal files give equal bytes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for name, text in files.items():
            target.writestr(zipfile.ZipInfo(name), text)
    return archive.getvalue()


def create_function(client: Client, name: str, files: Mapping[str, str], *, actions: str = "", **options: Any) -> None:
    """Create a function and a role with the same name. The role has permission for `actions`, such as `logs:*`."""
    iam, functions = client("iam"), client("lambda")
    trust = trust_policy({"Service": "lambda.amazonaws.com"})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if actions:
        iam.put_role_policy(RoleName=name, PolicyName="actions", PolicyDocument=policy({"Action": actions}))
    functions.create_function(
        FunctionName=name,
        Runtime="python3.14",
        Handler="index.handler",
        Role=role,
        Code={"ZipFile": zip_of(files)},
        **options,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def apply_change_set(client: Client, stack: str, resources: Mapping[str, Any], **options: Any) -> str:
    """Create or update a stack with a change set, as the CDK CLI does. Return the status of the stack."""
    cloudformation = client("cloudformation")
    stacks = {entry["StackName"] for entry in cloudformation.describe_stacks()["Stacks"]}
    names = {"StackName": stack, "ChangeSetName": f"changes-{uuid.uuid4()}"}
    cloudformation.create_change_set(
        **names,
        **options,
        ChangeSetType="UPDATE" if stack in stacks else "CREATE",
        TemplateBody=json.dumps({"Resources": resources}),
    )
    cloudformation.get_waiter("change_set_create_complete").wait(**names, WaiterConfig={"Delay": 1})
    cloudformation.execute_change_set(**names)

    def final_status() -> str | None:
        status = str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
        return None if status.endswith("_IN_PROGRESS") else status

    return wait_for(final_status, seconds=120)


def failure_reasons(client: Client, stack: str) -> list[str]:
    """Return the reasons of the failures in the events of a stack, newest first."""
    events = client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    return [event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"]]


def physical_ids(client: Client, stack: str) -> dict[str, str]:
    """Return the physical id of each logical id in the stack."""
    resources = client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
