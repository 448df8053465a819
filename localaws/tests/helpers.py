"""Waiting, stacks and functions for the tests."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from conftest import Client
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

Found = TypeVar("Found")


def wait_for(look: Callable[[], Found | None], *, seconds: float = 30) -> Found:
    """Call `look` until it returns something true, and return that. Raises RetryError after `seconds`."""
    retrying = Retrying(
        stop=stop_after_delay(seconds), wait=wait_fixed(0.1), retry=retry_if_result(lambda found: not found)
    )
    return retrying(look)  # type: ignore[return-value] # None is retried


def deploy_stack(client: Client, name: str, resources: Mapping[str, tuple[str, Any]], **options: Any) -> dict[str, str]:
    """Create a stack of resources, each a type and its properties, and return the physical ids by logical id."""
    template = {name: {"Type": kind, "Properties": properties} for name, (kind, properties) in resources.items()}
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": template}), **options)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    found = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}


def zip_of(files: Mapping[str, str]) -> bytes:
    """Return a zip file. It has the same bytes whenever it is made."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for name, text in files.items():
            target.writestr(zipfile.ZipInfo(name), text)
    return archive.getvalue()


def create_function(client: Client, name: str, files: Mapping[str, str], *, actions: str = "", **options: Any) -> None:
    """Create a function whose role has the same name and may do `actions`, such as `logs:*`."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    iam, functions = client("iam"), client("lambda")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]["Arn"]
    if actions:
        policy = {"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
        iam.put_role_policy(RoleName=name, PolicyName="actions", PolicyDocument=json.dumps(policy))
    functions.create_function(
        FunctionName=name,
        Runtime="python3.14",
        Handler="index.handler",
        Role=role,
        Code={"ZipFile": zip_of(files)},
        **options,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
