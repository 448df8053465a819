"""Permissions that are used: written down, and asked for where the engine lets AWS's services do without.

tests/support/permissions.py compares what was used with what the templates grant.
"""

import json
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_region
from ministack.core.router import extract_access_key_id, extract_region
from ministack.services import eventbridge, lambda_svc, s3

Evaluated = tuple[Any, Any]
"""What is asked for, as the engine's EvalContext, and the policies that were searched for it."""

_TO_SEND = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}
"""What a destination of a function takes, by its service."""
_evaluated: ContextVar[list[Evaluated] | None] = ContextVar("evaluated", default=None)
_stock_evaluate = iam_evaluator.evaluate


class Record:
    """A file with a line of JSON for each use: role, action, what it is granted for, and whether it was granted."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines: set[str] = set()
        self._lock = threading.Lock()

    def add(self, evaluated: list[Evaluated], *, allowed: bool) -> None:
        """Add a use, unless the file has it. Not the objects of a bucket one by one, but what allows them all."""
        asked, _ = evaluated[0]
        if asked.principal_type != "AssumedRole":
            return
        role = asked.principal_arn.split("/")[1]
        granted = {pattern for one in evaluated for pattern in _allowing(*one)} if allowed else set()
        for resource in granted or {asked.resource_arn}:
            line = json.dumps([role, asked.action, resource, bool(granted)])
            with self._lock:
                if line not in self._lines:
                    self._lines.add(line)
                    with self._file.open("a") as file:
                        file.write(f"{line}\n")


_record: list[Record] = []


def record_permissions(file: Path) -> None:
    """Write down which permissions the requests of roles use, and which they lack, as long as the process lives.

    What a policy denies on purpose is not what a role lacks.
    """
    _record.append(Record(file))
    enforce = iam_evaluator.enforce

    def evaluate_and_remember(asked: Any, policies: Any, *limits: Any) -> Any:
        remembered = _evaluated.get()
        if remembered is not None:
            remembered.append((asked, policies))
        return _stock_evaluate(asked, policies, *limits)

    def enforce_and_record(*arguments: Any, **options: Any) -> Any:
        remembered: list[Evaluated] = []
        token = _evaluated.set(remembered)
        try:
            refused = enforce(*arguments, **options)
        finally:
            _evaluated.reset(token)
        if remembered and getattr(refused, "decision", "") != "Deny":
            _tell(remembered, allowed=refused is None)
        return refused

    iam_evaluator.evaluate, iam_evaluator.enforce = evaluate_and_remember, enforce_and_record


def log_as_permitted() -> None:
    """Let a function's log be written by its role alone, as Lambda does; without the permission it is lost."""
    emit = lambda_svc._emit_lambda_logs

    def emit_as_permitted(function: Any, *arguments: Any, **options: Any) -> None:
        configuration = function.get("config", function)
        name = configuration["FunctionName"]
        group = (configuration.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
        _, partition, _, region, account, *_ = configuration["FunctionArn"].split(":")
        arn = f"arn:{partition}:logs:{region}:{account}:log-group:{group}:log-stream:any"
        if all(_may(configuration["Role"], f"logs:{action}", arn) for action in ("CreateLogStream", "PutLogEvents")):
            emit(function, *arguments, **options)

    lambda_svc._emit_lambda_logs = emit_as_permitted


def send_failures_as_permitted() -> None:
    """Send what a function failed at to its destination only if its role may."""
    route = lambda_svc._route_async_failure

    def route_as_permitted(target: str, name: str, *rest: Any) -> None:
        role = lambda_svc._functions[name]["config"]["Role"]
        if _may(role, _TO_SEND[target.split(":")[2]], target):
            route(target, name, *rest)
        else:
            lambda_svc.logger.warning("%s may not send to %s", role, target)

    lambda_svc._route_async_failure = route_as_permitted


def fire_schedules_as_permitted() -> None:
    """Invoke the function of a schedule only if the schedule's role may."""
    invoke = eventbridge._invoke_target

    def invoke_as_permitted(target: dict[str, Any], event: dict[str, Any], *rest: Any) -> None:
        scheduled = event.get("Source") == "aws.scheduler" and ":lambda:" in target["Arn"]
        if not scheduled or _may(target["RoleArn"], "lambda:InvokeFunction", target["Arn"]):
            invoke(target, event, *rest)
        else:
            eventbridge.logger.warning("%s may not invoke %s", target["RoleArn"], target["Arn"])

    eventbridge._invoke_target = invoke_as_permitted


def hide_what_is_missing() -> None:
    """Answer 403 for an object that is not there, unless the caller may list the bucket: then 404.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    handle = s3.handle_request

    async def handle_and_hide(
        method: str, path: str, headers: Any, body: bytes, query: Any, *rest: Any, **options: Any
    ) -> Any:
        answer = await handle(method, path, headers, body, query, *rest, **options)
        bucket, _, key = path.lstrip("/").partition("/")
        if answer[0] == 404 and key and method in {"GET", "HEAD"}:  # noqa: PLR2004 - HTTP
            caller, region = extract_access_key_id(headers, query), extract_region(headers)
            if iam_evaluator.enforce(caller, "s3:ListBucket", "s3", region, resource_arn=f"arn:aws:s3:::{bucket}"):
                status, told, text = s3._error("AccessDenied", "Access Denied", 403)
                return status, told, text if method == "GET" else b""
        return answer

    s3.handle_request = handle_and_hide


def ask_for_versions() -> None:
    """Ask for s3:DeleteObjectVersion when the first of several objects that are deleted together names its version.

    The engine does so from the second on.
    """
    extract = iam_actions.extract_iam_action

    def extract_of_the_first(service: str, method: str, path: str, *rest: Any) -> Any:
        action = extract(service, method, path, *rest)
        if action == "s3:DeleteObject" and method == "POST":
            _, body, _ = rest
            first = iam_actions._s3_batch_delete_targets(path.strip("/"), body)[:1]
            return "s3:DeleteObjectVersion" if any(version for _, version in first) else action
        return action

    iam_actions.extract_iam_action = extract_of_the_first


def _may(role_arn: str, action: str, resource: str) -> bool:
    account, role = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    asked = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{role}/service",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
    )
    policies = iam_evaluator._gather_role_policies(role, account)
    decision = _stock_evaluate(asked, policies).decision
    if decision != "Deny":
        _tell([(asked, policies)], allowed=decision == "Allow")
    return bool(decision == "Allow")


def _tell(evaluated: list[Evaluated], *, allowed: bool) -> None:
    for record in _record:
        record.add(evaluated, allowed=allowed)


def _allowing(asked: Any, policies: Any) -> set[str]:
    return {
        pattern
        for statements in policies
        for statement in statements
        if statement.effect == "Allow"
        and iam_evaluator._action_matches(asked.action, statement.actions, statement.not_actions)
        and iam_evaluator._conditions_met(statement.conditions, asked)
        for pattern in statement.resources
        if iam_evaluator.fnmatch_iam_cs(asked.resource_arn, pattern)
    }
