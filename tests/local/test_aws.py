"""Tests that need a local AWS, because they break the deployment or look inside it."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from app import build_app
from local.project import context
from localaws.aws import Engine, LocalAws
from tests.handlers.thumbnail import pictures
from tests.smoke.test_cron import Example as Cron
from tests.smoke.test_thumbnail import Example
from tests.support.apps import without_validation
from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

STACK = "compute-thumbnail"


@pytest.fixture
def function(deployment: Deployment) -> dict[str, Any]:
    """Return the configuration of the thumbnail function."""
    resource = deployment.client("cloudformation").describe_stack_resource(
        StackName=STACK, LogicalResourceId="Function76856677"
    )
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    return dict(deployment.client("lambda").get_function_configuration(FunctionName=name))


def test_a_failed_upload_is_retried_dead_lettered_and_can_be_replayed(
    deployment: Deployment, function: dict[str, Any]
) -> None:
    iam, sqs = deployment.client("iam"), deployment.client("sqs")
    example = Example.of(deployment)
    role = function["Role"].rsplit("/", 1)[-1]
    denial = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="Outage", PolicyDocument=json.dumps(denial))
    key = example.upload("during-the-outage.jpg", pictures.jpeg())
    queue = example.outputs["DeadLetterQueueUrl"]
    (letter,) = wait_for(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), "the dead letter")
    iam.delete_role_policy(RoleName=role, PolicyName="Outage")
    assert example.item(key) is None

    # docs/thumbnail.md describes this replay: invoke the function with the payload of the letter.
    failed = json.loads(letter["Body"])
    assert failed["requestContext"]["condition"] == "RetriesExhausted"
    assert failed["requestContext"]["functionArn"] == function["FunctionArn"]
    deployment.client("lambda").invoke(
        FunctionName=failed["requestContext"]["functionArn"],
        InvocationType="Event",
        Payload=json.dumps(failed["requestPayload"]),
    )
    assert example.settled(key)["status"] == "made"
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=letter["ReceiptHandle"])
    example.remove(key)
    example.wait_until_deleted(key)


def test_iam_is_enforced(deployment: Deployment, engine: Engine) -> None:
    """A user without permissions is refused, so the functions work only because of their grants."""
    iam = deployment.client("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    tables = boto3.client(
        "dynamodb",
        endpoint_url=engine.endpoint,
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    with pytest.raises(ClientError, match="not authorized to perform: dynamodb:ListTables"):
        tables.list_tables()
    iam.delete_access_key(UserName="nobody", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="nobody")


def test_the_function_logs_only_to_the_log_group_of_its_stack(deployment: Deployment, function: dict[str, Any]) -> None:
    logs = deployment.client("logs")
    example = Example.of(deployment)
    key = example.upload("logged.jpg", pictures.jpeg())
    example.settled(key)

    def lines() -> list[dict[str, Any]]:
        events = logs.filter_log_events(logGroupName=function["LoggingConfig"]["LogGroup"])["events"]
        texts = (line for event in events for line in event["message"].splitlines() if line.startswith("{"))
        return [line for line in map(json.loads, texts) if line.get("image_key") == key]

    (made,) = wait_for(lines, "the function's log")
    assert made["message"] == "made"
    assert made["item"]["status"] == "made"
    names = {group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]}
    assert not [name for name in names if name.startswith("/aws/lambda/")]
    example.remove(key)
    example.wait_until_deleted(key)


def test_a_failed_run_is_retried_dead_lettered_and_can_be_replayed(deployment: Deployment) -> None:
    """The run comes from the schedule, which fires all the time."""
    iam, sqs = deployment.client("iam"), deployment.client("sqs")
    cron = Cron.of(deployment)
    configuration = deployment.client("lambda").get_function_configuration(FunctionName=cron.outputs["FunctionName"])
    role = configuration["Role"].rsplit("/", 1)[-1]
    denial = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="Outage", PolicyDocument=json.dumps(denial))
    queue = cron.outputs["DeadLetterQueueUrl"]
    (letter,) = wait_for(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), "the dead letter")
    iam.delete_role_policy(RoleName=role, PolicyName="Outage")

    failed = json.loads(letter["Body"])
    assert failed["requestContext"]["condition"] == "RetriesExhausted"
    assert failed["requestContext"]["approximateInvokeCount"] == 3
    run = failed["requestPayload"]
    assert run["urls"] == cron.urls()
    assert cron.item(run["urls"][0], at=run["scheduled_at"]) is None
    deployment.client("lambda").invoke(
        FunctionName=failed["requestContext"]["functionArn"], InvocationType="Event", Payload=json.dumps(run)
    )
    item = wait_for(lambda: cron.item(run["urls"][0], at=run["scheduled_at"]), "the replayed run")
    assert item["up"] is True
    # Letters of other runs during the outage may still arrive. No other test reads this queue.
    sqs.purge_queue(QueueUrl=queue)


def test_a_late_event_of_an_overwritten_picture_changes_nothing(
    deployment: Deployment, function: dict[str, Any]
) -> None:
    example = Example.of(deployment)
    key = example.upload("overwritten.jpg", pictures.jpeg())
    item = example.settled(key)
    late = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": example.outputs["UploadsBucketName"]},
            "object": {"key": key, "eTag": "0" * 32, "sequencer": "0" * 16},
        },
    }
    answer = deployment.client("lambda").invoke(
        FunctionName=function["FunctionName"], Payload=json.dumps({"Records": [late]})
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert example.item(key) == item
    thumbnail = example.s3.head_object(Bucket=example.outputs["ThumbnailsBucketName"], Key=item["thumbnail_key"])
    assert thumbnail["ContentType"] == "image/webp"
    example.remove(key)
    example.wait_until_deleted(key)


def test_publishing_an_existing_image_again_succeeds(deployment: Deployment) -> None:
    """This happens at each deployment that changes the function but not the image."""
    if "WebImage" not in deployment.outputs("ecr"):
        pytest.skip("no image can be built without a container tool")
    publisher = deployment.client("cloudformation").describe_stack_resource(
        StackName="compute-ecr", LogicalResourceId="PublisherF0355618"
    )["StackResourceDetail"]["PhysicalResourceId"]
    answer = deployment.client("lambda").invoke(FunctionName=publisher)
    assert "FunctionError" not in answer, answer["Payload"].read()
    repository = deployment.outputs("ecr")["RepositoryUri"].partition("/")[2]
    images = deployment.client("ecr").list_images(repositoryName=repository)["imageIds"]
    assert json.load(answer["Payload"])["digest"] in {image["imageDigest"] for image in images}


def test_the_cli_and_python_synthesize_the_same_templates(
    deployment: Deployment, engine: Engine, local_aws: LocalAws, tmp_path: Path
) -> None:
    assert deployment.is_local
    with without_validation():
        build_app(context(engine), outdir=str(tmp_path)).synth()
    by_python = {path.name: json.loads(path.read_text()) for path in tmp_path.glob("*.template.json")}
    by_cli = {
        path.name: json.loads(path.read_text()) for path in (local_aws.folder / "cdk.out").glob("*.template.json")
    }
    assert by_cli
    assert by_python == by_cli
