"""What ministack lacks, or drops without a word, and the examples need. Nothing here may change what AWS would accept.

Every mend has a test in tests/test_local_extension.py that fails when a newer ministack no longer needs it.
"""

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import ministack.app
from ministack.core import lambda_runtime
from ministack.services import apigateway_v1, cloudwatch_logs, eventbridge, lambda_svc, s3, scheduler
from ministack.services.cloudformation import provisioners

from local.environment import SECONDS_A_MINUTE


def extend() -> None:
    """Apply every mend to the ministack of this process, before it serves."""
    treat_loopback_as_encrypted()
    keep_bucket_tags()
    run_foreign_bundles()
    validate_request_bodies()
    take_alarms_on_expressions()
    tell_functions_the_api_key()
    hurry_schedules()
    fill_in_what_a_schedule_tells()
    retry_what_a_schedule_invokes()
    make_no_log_groups()


def treat_loopback_as_encrypted() -> None:
    """Let requests pass that a policy refuses unless `aws:SecureTransport`.

    The engine serves plain HTTP, on 127.0.0.1 alone: what the policy is about, the wire, is not there.
    """
    pin = ministack.app.pin_request_origin
    ministack.app.pin_request_origin = lambda address, _secure: pin(address, secure_transport=True)


def _then(keep: Callable[[Any, str], None], provision: Callable[..., Any]) -> Callable[..., Any]:
    # create(logical_id, properties, stack) and update(id, old properties, properties, stack) both end alike.
    def provision_and_keep(*arguments: Any) -> Any:
        provisioned = provision(*arguments)
        keep(arguments[-2], provisioned[0])
        return provisioned

    return provision_and_keep


def keep_bucket_tags() -> None:
    """Store the tags of a bucket that CloudFormation makes, stack tags included.

    CDK's auto-delete helper empties only buckets with its tag, so that without them no stack could be destroyed.
    """
    provisioners._STACK_TAG_PROPERTY["AWS::S3::Bucket"] = ("Tags", "list")
    handlers = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    for operation in ("create", "update"):
        handlers[operation] = _then(_keep_tags, handlers[operation])


def _keep_tags(properties: Any, bucket: str) -> None:
    s3._bucket_tags[bucket] = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}


def run_foreign_bundles() -> None:
    """Run Python functions whose bundle is compiled for Lambda's processor and Python.

    The engine runs them in its own interpreter. Their compiled packages are left out there, and the same versions,
    installed beside the engine, are imported instead (requirements-dev.txt; a test keeps the versions equal).
    """
    spawn = lambda_runtime.Worker._spawn

    def spawn_runnable(worker: Any) -> None:
        if worker.config.get("Runtime", "").startswith("python"):
            worker.code_zip = runnable(worker.code_zip)
        spawn(worker)

    lambda_runtime.Worker._spawn = spawn_runnable


def runnable(bundle: bytes) -> bytes:
    """The zipped bundle without the packages that hold compiled code, or itself where there are none."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as source:
        names = source.namelist()
        compiled = {name.split("/")[0] for name in names if "/" in name and ".so" in name.rsplit("/", 1)[-1]}
        if not compiled:
            return bundle
        kept = io.BytesIO()
        with zipfile.ZipFile(kept, "w") as target:
            for name in names:
                if name.split("/")[0] not in compiled:
                    target.writestr(source.getinfo(name), source.read(name))
    return kept.getvalue()


def validate_request_bodies() -> None:
    """Keep the request validators that CloudFormation makes, and hold a body against the model of its type alone.

    The engine validates no body for stacks, and takes the model for application/json where there is none for a type.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
    """
    validators = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RequestValidator"]
    methods = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::Method"]
    for operation in ("create", "update"):
        validators[operation] = _then(_keep_validator, validators[operation])
        methods[operation] = _then(_keep_choice_of_validator, methods[operation])
    check = apigateway_v1._check_request_validation
    apigateway_v1._check_request_validation = lambda method, api, request, headers, *rest: check(
        _with_models_of(method, headers), api, request, headers, *rest
    )


def _with_models_of(method: Any, headers: Any) -> Any:
    sent = (apigateway_v1._header_ci(headers, "content-type") or "application/json").split(";")[0].strip()
    models = method.get("requestModels") or {}
    return {**method, "requestModels": {kind: model for kind, model in models.items() if kind == sent}}


def _keep_validator(properties: Any, validator_id: str) -> None:
    apigateway_v1._request_validators.setdefault(properties["RestApiId"], {})[validator_id] = {
        "id": validator_id,
        "name": properties.get("Name", ""),
        "validateRequestBody": properties.get("ValidateRequestBody", False),
        "validateRequestParameters": properties.get("ValidateRequestParameters", False),
    }


def _keep_choice_of_validator(properties: Any, _method_id: str) -> None:
    resource = apigateway_v1._resources[properties["RestApiId"]][properties["ResourceId"]]
    method = resource["resourceMethods"][properties["HttpMethod"]]
    method["requestValidatorId"] = properties.get("RequestValidatorId")


def tell_functions_the_api_key() -> None:
    """Say in a function's event which API key a request came with.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
    """
    build = apigateway_v1._build_lambda_event_v1

    def build_with_key(*arguments: Any, **options: Any) -> Any:
        event = build(*arguments, **options)
        key = apigateway_v1._resolve_api_key(apigateway_v1._api_key_from_request(event["headers"]))
        if key:
            event["requestContext"]["identity"].update(apiKeyId=key["id"], apiKey=key["value"])
        return event

    apigateway_v1._build_lambda_event_v1 = build_with_key


def hurry_schedules() -> None:
    """Let time pass faster for rate(...) schedules, and look for those that are due several times a second."""
    seconds_of = eventbridge._parse_rate_seconds

    def hurried(expression: str) -> float | None:
        seconds = seconds_of(expression)
        return None if seconds is None else seconds * SECONDS_A_MINUTE / 60

    eventbridge._parse_rate_seconds = hurried
    scheduler._SCHEDULE_TICK_INTERVAL = 0.2


def fill_in_what_a_schedule_tells() -> None:
    """Replace the keywords of a schedule's input, such as `<aws.scheduler.scheduled-time>`, as Scheduler does.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    """
    invoke = eventbridge._invoke_target

    def invoke_filled_in(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], *view: Any) -> None:
        if event.get("Source") == "aws.scheduler" and "Input" in target:
            filled = target["Input"]
            for keyword, value in {
                "scheduled-time": datetime.fromtimestamp(event["Time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "schedule-arn": rule["Arn"],
                "execution-id": uuid.uuid4().hex[:16],
                "attempt-number": "1",
            }.items():
                filled = filled.replace(f"<aws.scheduler.{keyword}>", value)
            target = {**target, "Input": filled}
        invoke(target, event, rule, *view)

    eventbridge._invoke_target = invoke_filled_in


def retry_what_a_schedule_invokes() -> None:
    """Invoke a schedule's function as AWS does: what fails is retried, and at last sent to the function's destination.

    The engine does so for S3, and lets a scheduled invocation that fails go without a word.
    """

    def dispatch(arn: str, payload: str) -> None:
        function, configuration, name = lambda_svc._get_func_record_for_ref(arn)
        if function is None or configuration is None:
            eventbridge.logger.warning("the function %s of a schedule does not exist", name)
            return
        record = lambda_svc._execution_record_for_config(function, configuration)
        lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    eventbridge._dispatch_to_lambda = dispatch


def take_alarms_on_expressions() -> None:
    """Take an alarm on a metric expression for one on the metric in it: the engine refuses expressions.

    What is filled in for missing data makes no difference here, since the engine looks no further back than it says.
    """
    record = provisioners._cw_metric_alarm_record
    provisioners._cw_metric_alarm_record = lambda name, properties: record(name, _on_its_metric(properties))


def _on_its_metric(alarm: Any) -> Any:
    metrics = [one["MetricStat"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
    if not metrics:
        return alarm
    plain = {name: value for name, value in alarm.items() if name != "Metrics"}
    return {**plain, **metrics[0]["Metric"], "Period": metrics[0]["Period"], "Statistic": metrics[0]["Stat"]}


def make_no_log_groups() -> None:
    """Let functions write to a log group that they are given only while it exists, for their roles may make none.

    The engine makes it again when a function is still at work, or retried, after its stack was deleted.
    """
    emit = lambda_svc._emit_lambda_logs

    def emit_where_a_group_is(function: Any, *arguments: Any, **options: Any) -> None:
        group = (function.get("config", function).get("LoggingConfig") or {}).get("LogGroup")
        if group is None or group in cloudwatch_logs._log_groups:
            emit(function, *arguments, **options)

    lambda_svc._emit_lambda_logs = emit_where_a_group_is
