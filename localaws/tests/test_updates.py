"""Tests that deploy a stack twice with change sets, as the CDK CLI does. The second template differs from the first."""

import json
from typing import Any

import pytest
from conftest import Client
from helpers import apply_change_set, failure_reasons, own_client, physical_ids
from updates import BUCKET, CHANGED, FUNCTION, TABLE, TABLE_WITH_INDEX, UPDATES, Update, function, resource

REFUSED_QUEUE = resource("SQS::Queue", QueueName="standard.fifo")
"""A queue that SQS refuses to create, because only a FIFO queue can have this name."""


@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
def test_a_changed_property_takes_effect(patched: Client, update: Update) -> None:
    stack = f"update-{[*UPDATES.values()].index(update)}"

    def deploy(**properties: Any) -> tuple[str, Any]:
        """Deploy the resource. Return its physical id and the value in the service."""
        template = {**update.others, CHANGED: resource(update.kind, **properties)}
        status = apply_change_set(patched, stack, template, Capabilities=["CAPABILITY_IAM"])
        assert status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}, failure_reasons(patched, stack)
        ids = physical_ids(patched, stack)
        return ids[CHANGED], update.read.send(patched, ids)

    first_id, first_value = deploy(**update.first)
    second_id, second_value = deploy(**{**update.first, **update.change})
    assert (first_value, second_value) == update.values
    assert (second_id != first_id) == update.is_replaced


STORES = {**BUCKET, "Table": resource("DynamoDB::Table", **TABLE), "Queue": resource("SQS::Queue")}
CHANGED_STORES = {
    "Bucket": resource("S3::Bucket", VersioningConfiguration={"Status": "Enabled"}),
    "Table": resource("DynamoDB::Table", **TABLE_WITH_INDEX),
    "Queue": resource("SQS::Queue", VisibilityTimeout=50),
}


def data(client: Client, ids: dict[str, str]) -> Any:
    """Return the number of objects, items, messages and events of a log."""
    attribute = "ApproximateNumberOfMessages"
    queue = client("sqs").get_queue_attributes(QueueUrl=ids["Queue"], AttributeNames=[attribute])
    return [
        client("s3").list_objects_v2(Bucket=ids["Bucket"])["KeyCount"],
        client("dynamodb").scan(TableName=ids["Table"])["Count"],
        int(queue["Attributes"][attribute]),
        len(client("logs").filter_log_events(logGroupName=ids["Log"])["events"]),
    ]


@pytest.mark.parametrize(
    ("fault", "status", "answer"),
    [({}, "UPDATE_COMPLETE", 2), ({"Last": REFUSED_QUEUE}, "UPDATE_ROLLBACK_COMPLETE", 1)],
)
def test_an_update_and_its_rollback_keep_all_data(patched: Client, fault: Any, status: str, answer: int) -> None:
    stack = f"data-{status.replace('_', '-')}"
    log = {"Log": resource("Logs::LogGroup", RetentionInDays=1)}
    changed_log = {"Log": resource("Logs::LogGroup", RetentionInDays=7)}
    apply_change_set(patched, stack, {**STORES, **log, **FUNCTION}, Capabilities=["CAPABILITY_IAM"])
    ids = physical_ids(patched, stack)
    patched("s3").put_object(Bucket=ids["Bucket"], Key="a", Body=b"a")
    patched("dynamodb").put_item(TableName=ids["Table"], Item={"id": {"S": "1"}, "day": {"S": "1"}})
    patched("sqs").send_message(QueueUrl=ids["Queue"], MessageBody="a")
    patched("logs").create_log_stream(logGroupName=ids["Log"], logStreamName="a")
    event = {"timestamp": 1_700_000_000_000, "message": "a"}
    patched("logs").put_log_events(logGroupName=ids["Log"], logStreamName="a", logEvents=[event])
    assert data(patched, ids) == [1, 1, 1, 1]

    new_function = {**FUNCTION, "Function": resource("Lambda::Function", **function("2"))}
    fault = {name: {**resource, "DependsOn": [*CHANGED_STORES, "Function"]} for name, resource in fault.items()}
    changed = {**CHANGED_STORES, **changed_log, **new_function, **fault}
    assert apply_change_set(patched, stack, changed, Capabilities=["CAPABILITY_IAM"]) == status
    assert {name: ids[name] for name in ids} == {name: physical_ids(patched, stack)[name] for name in ids}
    assert data(patched, ids) == [1, 1, 1, 1]
    assert json.loads(patched("lambda").invoke(FunctionName=ids["Function"])["Payload"].read()) == answer


def test_a_resource_that_keeps_its_name_is_not_replaced(patched: Client) -> None:
    server = {"InstanceName": "named", "BlueprintId": "amazon_linux_2023", "BundleId": "nano_3_0"}
    apply_change_set(patched, "named", {"Server": resource("Lightsail::Instance", **server)})
    changed_server = resource("Lightsail::Instance", **{**server, "BundleId": "micro_3_0"})
    assert apply_change_set(patched, "named", {"Server": changed_server}) == "UPDATE_ROLLBACK_COMPLETE"
    (reason,) = failure_reasons(patched, "named")
    assert reason == (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename named and update "
        "the stack again."
    )
    changed_server["Properties"]["InstanceName"] = "renamed"
    assert apply_change_set(patched, "named", {"Server": changed_server}) == "UPDATE_COMPLETE"
    assert physical_ids(patched, "named") == {"Server": "renamed"}


@pytest.mark.parametrize(("client", "status"), [("stock", "CREATE_IN_PROGRESS"), ("patched", "ROLLBACK_COMPLETE")])
def test_the_cdk_cli_gets_its_answer_when_the_stack_no_longer_changes(
    client: str, status: str, request: pytest.FixtureRequest
) -> None:
    """Otherwise the CLI waits five seconds for each stack."""
    cloudformation = own_client(request.getfixturevalue(client), "cloudformation")
    handle = resource("CloudFormation::WaitConditionHandle")
    never_signalled = resource("CloudFormation::WaitCondition", Handle={"Ref": "Handle"}, Timeout="1")
    template = json.dumps({"Resources": {"Handle": handle, "Condition": never_signalled}})
    cloudformation.create_stack(StackName="awaited", TemplateBody=template)
    cloudformation.meta.events.register("before-send", _send_as_cdk_cli)
    assert cloudformation.describe_stacks(StackName="awaited")["Stacks"][0]["StackStatus"] == status


def _send_as_cdk_cli(request: Any, **_: Any) -> None:
    request.headers["User-Agent"] = "aws-cdk/2"
