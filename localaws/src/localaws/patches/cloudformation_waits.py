"""The patch that lets the CDK CLI notice the end of an operation of CloudFormation at once."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from ministack.services import cloudformation
from ministack.services.cloudformation import handlers

LONGEST_SECONDS = 20.0
"""The maximum time for which an answer waits. The CLI waits longer than this for an answer."""
_PAUSE_SECONDS = 0.05
_CLI = "aws-cdk"
"""A part of the header User-Agent that the CDK CLI sends."""


def answer_after_operations() -> None:
    """Answer DescribeStacks of the CDK CLI only when the stack no longer changes, or after LONGEST_SECONDS.

    Stock engine: answers at once. The CLI then asks again after five seconds, although most stacks need one second.
    AWS: answers at once, too. There, most stacks need minutes.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
    With this patch, the CLI gets the same states as before, but it does not see each state between them. Other clients
    get their answers at once.
    Upstream issue: none known.
    """
    stock_handle = cloudformation.handle_request

    async def handle(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
        name = _stack_in_request(headers, body)
        deadline = time.monotonic() + LONGEST_SECONDS
        while name and _is_changing(name) and time.monotonic() < deadline:  # noqa: ASYNC110 - the engine has no event
            await asyncio.sleep(_PAUSE_SECONDS)
        return await stock_handle(method, path, headers, body, query_params)

    cloudformation.handle_request = handle


def _stack_in_request(headers: Mapping[str, str], body: bytes) -> str | None:
    if b"Action=DescribeStacks&" not in body or _CLI not in headers.get("user-agent", ""):
        return None
    return parse_qs(body.decode()).get("StackName", [None])[0]


def _is_changing(name: str) -> bool:
    stack = handlers._resolve_stack(name)
    status = str(stack["StackStatus"]) if stack else ""
    # A stack with this status waits for the execution of its change set, which may be the CLI's next request.
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"
