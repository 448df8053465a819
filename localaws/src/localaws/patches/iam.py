"""Patches of IAM: permissions that AWS checks but ministack does not, and a record of the permissions in use.

A *grant* is a permission in a policy. A *role* holds policies, and a function or schedule uses a role.
"""

import functools
import json
import threading
from contextvars import ContextVar
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_region
from ministack.core.router import extract_access_key_id, extract_region
from ministack.services import cloudwatch_logs, eventbridge, lambda_svc, s3

from localaws.patches.lambda_destinations import needed_permissions

Evaluation = tuple[Any, Any]
"""A request (the engine's class EvalContext) and the policies that the engine evaluated for it."""

_LOG_ACTIONS = ("CreateLogStream", "PutLogEvents")
"""The actions of CloudWatch Logs that write the log of a function into an existing log group."""
_evaluations: ContextVar[list[Evaluation] | None] = ContextVar("evaluations", default=None)
"""The evaluations in the current permission check, or None outside a permission check."""
_stock_evaluate = iam_evaluator.evaluate


class Record:
    """A file that lists which role used which permission.

    Each line is a JSON list: the role, the action, the resource in the grant, and `true`. If no grant allows the
    action, the third value is the resource of the request, and the fourth value is `false`.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines: set[str] = set()
        self._lock = threading.Lock()

    def add(self, evaluations: list[Evaluation], *, allowed: bool) -> None:
        """Add a line for each grant that allows the request, unless the file already contains the line.

        If a grant is for all objects of a bucket, there is one line for all objects that the role reads.
        """
        request, _ = evaluations[0]
        if request.principal_type != "AssumedRole":
            return
        role = request.principal_arn.split("/")[1]
        granted_resources: set[str] = set()
        if allowed:
            granted_resources = {resource for evaluation in evaluations for resource in _granted_resources(*evaluation)}
        for resource in granted_resources or {request.resource_arn}:
            line = json.dumps([role, request.action, resource, bool(granted_resources)])
            with self._lock:
                if line not in self._lines:
                    self._lines.add(line)
                    with self._file.open("a") as file:
                        file.write(f"{line}\n")


_records: list[Record] = []


def record_permissions(file: Path) -> None:
    """Write the permissions that requests of roles use, and those that the roles lack, into `file`.

    An action that a policy denies explicitly is not recorded, because the role lacks it on purpose.

    Stock engine: checks permissions, but does not record them.
    AWS: records when each service was last used, and for many actions when the action was last used. The command is
    `aws iam generate-service-last-accessed-details --granularity ACTION_LEVEL`.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html
    Upstream issue: none.
    """
    _records.append(Record(file))
    stock_enforce = iam_evaluator.enforce

    def evaluate_and_collect(request: Any, policies: Any, *limits: Any) -> Any:
        evaluations = _evaluations.get()
        if evaluations is not None:
            evaluations.append((request, policies))
        return _stock_evaluate(request, policies, *limits)

    def enforce_and_record(*arguments: Any, **options: Any) -> Any:
        evaluations: list[Evaluation] = []
        token = _evaluations.set(evaluations)
        try:
            refusal = stock_enforce(*arguments, **options)
        finally:
            _evaluations.reset(token)
        if evaluations and getattr(refusal, "decision", "") != "Deny":
            _add_to_records(evaluations, allowed=refusal is None)
        return refusal

    iam_evaluator.evaluate, iam_evaluator.enforce = evaluate_and_collect, enforce_and_record


def require_permission_to_log() -> None:
    """Write a function's log only if its role has permission to create a log stream and to put events into it.

    If the log group does not exist, the role also needs permission to create it.

    Stock engine: writes the log of every function, and creates the log group if it does not exist. So a deleted stack
    leaves a log group behind if one of its functions still runs or is retried.
    AWS: Lambda uses the function's role to write the log and to create the log group. If the role lacks a permission,
    the log is lost.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
    Upstream issue: none known.
    """
    unchecked_emit = lambda_svc._emit_lambda_logs

    def emit_if_allowed(function: Any, *arguments: Any, **options: Any) -> None:
        configuration = function.get("config", function)
        name, role = configuration["FunctionName"], configuration["Role"]
        log_group = (configuration.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
        _, partition, _, region, account, *_ = configuration["FunctionArn"].split(":")
        arn = f"arn:{partition}:logs:{region}:{account}:log-group:{log_group}"
        # This permission is not recorded, because many roles lack it on purpose.
        may_create = functools.partial(_is_allowed, role, "logs:CreateLogGroup", arn, is_recorded=False)
        if log_group not in cloudwatch_logs._log_groups and not may_create():
            return
        if all(_is_allowed(role, f"logs:{action}", f"{arn}:log-stream:any") for action in _LOG_ACTIONS):
            unchecked_emit(function, *arguments, **options)

    lambda_svc._emit_lambda_logs = emit_if_allowed


def require_permission_to_send_failures() -> None:
    """Send the failure of a function to its destination only if the function's role has permission to send it.

    Stock engine: sends every failure.
    AWS: Lambda uses the function's role to send the failure.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    Upstream issue: none known.
    """
    unchecked_route = lambda_svc._route_async_failure

    def route_if_allowed(target: str, name: str, *rest: Any) -> None:
        role = lambda_svc._functions[name]["config"]["Role"]
        if all(_is_allowed(role, action, resource) for action, resource in needed_permissions(target, name)):
            unchecked_route(target, name, *rest)
        else:
            lambda_svc.logger.warning("%s has no permission to send to %s", role, target)

    lambda_svc._route_async_failure = route_if_allowed


def require_permission_to_invoke_scheduled_functions() -> None:
    """Invoke the function of a schedule only if the schedule's role has permission to invoke it.

    Stock engine: invokes every function.
    AWS: Scheduler uses the schedule's role to invoke the function.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role
    Upstream issue: none known.
    """
    unchecked_invoke = eventbridge._invoke_target

    def invoke_if_allowed(target: dict[str, Any], event: dict[str, Any], *rest: Any) -> None:
        is_schedule_of_function = event.get("Source") == "aws.scheduler" and ":lambda:" in target["Arn"]
        if not is_schedule_of_function or _is_allowed(target["RoleArn"], "lambda:InvokeFunction", target["Arn"]):
            unchecked_invoke(target, event, *rest)
        else:
            eventbridge.logger.warning("%s has no permission to invoke %s", target["RoleArn"], target["Arn"])

    eventbridge._invoke_target = invoke_if_allowed


def hide_missing_objects() -> None:
    """Answer 403 for a missing object if the caller has no permission to list the bucket.

    Stock engine: answers 404 to every caller with permission to read objects.
    AWS: answers 404 if the caller has the permission s3:ListBucket, and 403 if the caller lacks it. So a caller
    without that permission cannot find out which objects exist.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    Upstream issue: none known.
    """
    stock_handle = s3.handle_request

    async def handle_and_hide(
        method: str, path: str, headers: Any, body: bytes, query: Any, *rest: Any, **options: Any
    ) -> Any:
        answer = await stock_handle(method, path, headers, body, query, *rest, **options)
        bucket, _, key = path.lstrip("/").partition("/")
        if answer[0] == HTTPStatus.NOT_FOUND and key and method in {"GET", "HEAD"}:
            caller, region = extract_access_key_id(headers, query), extract_region(headers)
            if iam_evaluator.enforce(caller, "s3:ListBucket", "s3", region, resource_arn=f"arn:aws:s3:::{bucket}"):
                status, error_headers, text = s3._error("AccessDenied", "Access Denied", 403)
                return status, error_headers, text if method == "GET" else b""
        return answer

    s3.handle_request = handle_and_hide


def require_permission_to_delete_versions() -> None:
    """Require s3:DeleteObjectVersion if the first object in a DeleteObjects request has a version id.

    A DeleteObjects request names several objects, each with or without a version id.

    Stock engine: requires s3:DeleteObject for the first object, even if it has a version id. For the other objects, it
    requires the same action as AWS.
    AWS: requires s3:DeleteObjectVersion for every object with a version id.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
    Upstream issue: none known.
    """
    stock_extract = iam_actions.extract_iam_action

    def extract_action(service: str, method: str, path: str, *rest: Any) -> Any:
        action = stock_extract(service, method, path, *rest)
        if action == "s3:DeleteObject" and method == "POST":
            _, body, _ = rest
            first_object = iam_actions._s3_batch_delete_targets(path.strip("/"), body)[:1]
            return "s3:DeleteObjectVersion" if any(version for _, version in first_object) else action
        return action

    iam_actions.extract_iam_action = extract_action


def _is_allowed(role_arn: str, action: str, resource: str, *, is_recorded: bool = True) -> bool:
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
    if decision != "Deny" and is_recorded:
        _add_to_records([(request, policies)], allowed=decision == "Allow")
    return bool(decision == "Allow")


def _add_to_records(evaluations: list[Evaluation], *, allowed: bool) -> None:
    for record in _records:
        record.add(evaluations, allowed=allowed)


def _granted_resources(request: Any, policies: Any) -> set[str]:
    # Return the resources of the statements that allow the request. Such a resource often contains a *.
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
