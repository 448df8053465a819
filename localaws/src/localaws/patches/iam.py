"""Patches of IAM: permissions that AWS asks for and the engine does not, and a record of those that are used."""

import json
import threading
from contextvars import ContextVar
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_region
from ministack.core.router import extract_access_key_id, extract_region
from ministack.services import eventbridge, lambda_svc, s3

Evaluation = tuple[Any, Any]
"""A request, as the engine's EvalContext, and the policies that were searched for it."""

_SEND_ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}
"""The action that sends to a function's destination, by the service of the destination."""
_evaluations: ContextVar[list[Evaluation] | None] = ContextVar("evaluations", default=None)
_stock_evaluate = iam_evaluator.evaluate


class Record:
    """A file with one line of JSON for each use: role, action, resource of the grant, and whether it was granted."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines: set[str] = set()
        self._lock = threading.Lock()

    def add(self, evaluations: list[Evaluation], *, allowed: bool) -> None:
        """Add a use, unless the file has it. The resource is the grant's pattern, and not each object of a bucket."""
        request, _ = evaluations[0]
        if request.principal_type != "AssumedRole":
            return
        role = request.principal_arn.split("/")[1]
        granted = {pattern for one in evaluations for pattern in _granting_patterns(*one)} if allowed else set()
        for resource in granted or {request.resource_arn}:
            line = json.dumps([role, request.action, resource, bool(granted)])
            with self._lock:
                if line not in self._lines:
                    self._lines.add(line)
                    with self._file.open("a") as file:
                        file.write(f"{line}\n")


_records: list[Record] = []


def record_permissions(file: Path) -> None:
    """Record the permissions that the requests of roles use, and those that they lack.

    A permission that a policy denies explicitly is not recorded, because the role is not meant to have it.

    Stock engine: evaluates policies, and records nothing.
    AWS: records the last use of services and actions (`iam generate-service-last-accessed-details`).
    Upstream issue: none.
    """
    _records.append(Record(file))
    enforce = iam_evaluator.enforce

    def evaluate_and_remember(request: Any, policies: Any, *limits: Any) -> Any:
        evaluations = _evaluations.get()
        if evaluations is not None:
            evaluations.append((request, policies))
        return _stock_evaluate(request, policies, *limits)

    def enforce_and_record(*arguments: Any, **options: Any) -> Any:
        evaluations: list[Evaluation] = []
        token = _evaluations.set(evaluations)
        try:
            refusal = enforce(*arguments, **options)
        finally:
            _evaluations.reset(token)
        if evaluations and getattr(refusal, "decision", "") != "Deny":
            _add_to_records(evaluations, allowed=refusal is None)
        return refusal

    iam_evaluator.evaluate, iam_evaluator.enforce = evaluate_and_remember, enforce_and_record


def require_permission_to_log() -> None:
    """Write a function's log only if its role may create a log stream and put events into it.

    Stock engine: writes the log of every function.
    AWS: Lambda writes it with the function's role; without the permission the log is lost.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
    Upstream issue: none known.
    """
    emit = lambda_svc._emit_lambda_logs

    def emit_if_allowed(function: Any, *arguments: Any, **options: Any) -> None:
        configuration = function.get("config", function)
        name = configuration["FunctionName"]
        group = (configuration.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
        _, partition, _, region, account, *_ = configuration["FunctionArn"].split(":")
        arn = f"arn:{partition}:logs:{region}:{account}:log-group:{group}:log-stream:any"
        actions = ("logs:CreateLogStream", "logs:PutLogEvents")
        if all(_is_allowed(configuration["Role"], action, arn) for action in actions):
            emit(function, *arguments, **options)

    lambda_svc._emit_lambda_logs = emit_if_allowed


def require_permission_to_send_failures() -> None:
    """Send a function's failure to its destination only if the function's role may do that.

    Stock engine: sends every failure.
    AWS: Lambda sends it with the function's role.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    Upstream issue: none known.
    """
    route = lambda_svc._route_async_failure

    def route_if_allowed(target: str, name: str, *rest: Any) -> None:
        role = lambda_svc._functions[name]["config"]["Role"]
        if _is_allowed(role, _SEND_ACTIONS[target.split(":")[2]], target):
            route(target, name, *rest)
        else:
            lambda_svc.logger.warning("%s may not send to %s", role, target)

    lambda_svc._route_async_failure = route_if_allowed


def require_permission_to_invoke_scheduled() -> None:
    """Invoke a schedule's function only if the schedule's role may do that.

    Stock engine: invokes every function.
    AWS: Scheduler assumes the schedule's role to invoke the function.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role
    Upstream issue: none known.
    """
    invoke = eventbridge._invoke_target

    def invoke_if_allowed(target: dict[str, Any], event: dict[str, Any], *rest: Any) -> None:
        scheduled = event.get("Source") == "aws.scheduler" and ":lambda:" in target["Arn"]
        if not scheduled or _is_allowed(target["RoleArn"], "lambda:InvokeFunction", target["Arn"]):
            invoke(target, event, *rest)
        else:
            eventbridge.logger.warning("%s may not invoke %s", target["RoleArn"], target["Arn"])

    eventbridge._invoke_target = invoke_if_allowed


def hide_missing_objects() -> None:
    """Answer 403 for a missing object, unless the caller may list the bucket.

    Stock engine: answers 404 to everybody who may read objects.
    AWS: answers 404 only with s3:ListBucket, and 403 otherwise.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    Upstream issue: none known.
    """
    handle = s3.handle_request

    async def handle_and_hide(
        method: str, path: str, headers: Any, body: bytes, query: Any, *rest: Any, **options: Any
    ) -> Any:
        answer = await handle(method, path, headers, body, query, *rest, **options)
        bucket, _, key = path.lstrip("/").partition("/")
        if answer[0] == HTTPStatus.NOT_FOUND and key and method in {"GET", "HEAD"}:
            caller, region = extract_access_key_id(headers, query), extract_region(headers)
            if iam_evaluator.enforce(caller, "s3:ListBucket", "s3", region, resource_arn=f"arn:aws:s3:::{bucket}"):
                status, error_headers, text = s3._error("AccessDenied", "Access Denied", 403)
                return status, error_headers, text if method == "GET" else b""
        return answer

    s3.handle_request = handle_and_hide


def require_permission_to_delete_versions() -> None:
    """Ask for s3:DeleteObjectVersion also for the first object of a DeleteObjects request that names a version.

    Stock engine: asks for s3:DeleteObject for the first object, and for the right action from the second one on.
    AWS: asks for s3:DeleteObjectVersion for every object whose version is named.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
    Upstream issue: none known.
    """
    extract = iam_actions.extract_iam_action

    def extract_for_first(service: str, method: str, path: str, *rest: Any) -> Any:
        action = extract(service, method, path, *rest)
        if action == "s3:DeleteObject" and method == "POST":
            _, body, _ = rest
            first = iam_actions._s3_batch_delete_targets(path.strip("/"), body)[:1]
            return "s3:DeleteObjectVersion" if any(version for _, version in first) else action
        return action

    iam_actions.extract_iam_action = extract_for_first


def _is_allowed(role_arn: str, action: str, resource: str) -> bool:
    account, role = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    request = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{role}/service",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
    )
    policies = iam_evaluator._gather_role_policies(role, account)
    decision = _stock_evaluate(request, policies).decision
    if decision != "Deny":
        _add_to_records([(request, policies)], allowed=decision == "Allow")
    return bool(decision == "Allow")


def _add_to_records(evaluations: list[Evaluation], *, allowed: bool) -> None:
    for record in _records:
        record.add(evaluations, allowed=allowed)


def _granting_patterns(request: Any, policies: Any) -> set[str]:
    return {
        pattern
        for statements in policies
        for statement in statements
        if statement.effect == "Allow"
        and iam_evaluator._action_matches(request.action, statement.actions, statement.not_actions)
        and iam_evaluator._conditions_met(statement.conditions, request)
        for pattern in statement.resources
        if iam_evaluator.fnmatch_iam_cs(request.resource_arn, pattern)
    }
