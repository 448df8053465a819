"""These tests damage the deployment or read its internal state. Therefore they run only in the local AWS.

The local AWS is a program that imitates AWS on this machine.
"""

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
from tests.smoke.test_cron import CronExample
from tests.smoke.test_thumbnail import ThumbnailExample
from tests.support.apps import stack_name, without_validation
from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)  # `make local` may run first, and it needs minutes
STACK = stack_name("thumbnail")


@pytest.fixture
def function(deployment: Deployment) -> dict[str, Any]:
    """Return the configuration of the thumbnail function."""
    resource = deployment.client("cloudformation").describe_stack_resource(
        StackName=STACK, LogicalResourceId="Function76856677"
    )
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    return dict(deployment.client("lambda").get_function_configuration(FunctionName=name))


def test_an_upload_that_fails_again_and_again_becomes_a_dead_letter_that_can_be_replayed(
    deployment: Deployment, function: dict[str, Any]
) -> None:
    iam, sqs = deployment.client("iam"), deployment.client("sqs")
    example = ThumbnailExample.of(deployment)
    role = function["Role"].rsplit("/", 1)[-1]
    denial = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="Outage", PolicyDocument=json.dumps(denial))
    key = example.upload("during-the-outage.jpg", pictures.jpeg())
    queue = example.outputs["DeadLetterQueueUrl"]
    (dead_letter,) = wait_for(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), "the dead letter")
    iam.delete_role_policy(RoleName=role, PolicyName="Outage")
    assert example.item(key) is None

    # docs/thumbnail.md describes this replay: invoke the function with the payload in the dead letter.
    failed_call = json.loads(dead_letter["Body"])
    assert failed_call["requestContext"]["condition"] == "RetriesExhausted"
    assert failed_call["requestContext"]["functionArn"] == f"{function['FunctionArn']}:$LATEST"
    deployment.client("lambda").invoke(
        FunctionName=failed_call["requestContext"]["functionArn"],
        InvocationType="Event",
        Payload=json.dumps(failed_call["requestPayload"]),
    )
    assert example.wait_for_item(key)["status"] == "made"
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=dead_letter["ReceiptHandle"])
    example.remove(key)
    example.wait_until_deleted(key)


def test_the_local_aws_enforces_iam_permissions(deployment: Deployment, engine: Engine) -> None:
    """A user without permissions gets an error. Therefore the tests of the functions also test their permissions."""
    iam = deployment.client("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    dynamodb = boto3.client(
        "dynamodb",
        endpoint_url=engine.endpoint,
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    with pytest.raises(ClientError, match="not authorized to perform: dynamodb:ListTables"):
        dynamodb.list_tables()
    iam.delete_access_key(UserName="nobody", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="nobody")


def test_the_function_logs_only_to_the_log_group_of_its_stack(deployment: Deployment, function: dict[str, Any]) -> None:
    logs = deployment.client("logs")
    example = ThumbnailExample.of(deployment)
    key = example.upload("logged.jpg", pictures.jpeg())
    example.wait_for_item(key)

    def log_lines() -> list[dict[str, Any]]:
        events = logs.filter_log_events(logGroupName=function["LoggingConfig"]["LogGroup"])["events"]
        texts = (line for event in events for line in event["message"].splitlines() if line.startswith("{"))
        return [line for line in map(json.loads, texts) if line.get("image_key") == key]

    (log_line,) = wait_for(log_lines, "the log line of the function")
    assert log_line["message"] == "made"
    assert log_line["item"]["status"] == "made"
    names = {group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]}
    assert not [name for name in names if name.startswith("/aws/lambda/")]
    example.remove(key)
    example.wait_until_deleted(key)


def test_a_cron_run_that_fails_again_and_again_becomes_a_dead_letter_that_can_be_replayed(
    deployment: Deployment,
) -> None:
    """The schedule starts the run. In the local AWS it starts a run every few seconds."""
    iam, sqs = deployment.client("iam"), deployment.client("sqs")
    cron = CronExample.of(deployment)
    configuration = deployment.client("lambda").get_function_configuration(FunctionName=cron.outputs["FunctionName"])
    role = configuration["Role"].rsplit("/", 1)[-1]
    denial = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="Outage", PolicyDocument=json.dumps(denial))
    queue = cron.outputs["DeadLetterQueueUrl"]
    (dead_letter,) = wait_for(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), "the dead letter")
    iam.delete_role_policy(RoleName=role, PolicyName="Outage")

    failed_call = json.loads(dead_letter["Body"])
    assert failed_call["requestContext"]["condition"] == "RetriesExhausted"
    assert failed_call["requestContext"]["approximateInvokeCount"] == 3
    run = failed_call["requestPayload"]
    assert run["urls"] == cron.urls()
    assert cron.item(run["urls"][0], scheduled_at=run["scheduled_at"]) is None
    deployment.client("lambda").invoke(
        FunctionName=failed_call["requestContext"]["functionArn"], InvocationType="Event", Payload=json.dumps(run)
    )
    item = wait_for(lambda: cron.item(run["urls"][0], scheduled_at=run["scheduled_at"]), "the replayed run")
    assert item["up"] is True
    # Dead letters of other runs during the outage may still arrive. No other test reads this queue.
    sqs.purge_queue(QueueUrl=queue)


def test_a_late_event_of_an_overwritten_picture_changes_nothing(
    deployment: Deployment, function: dict[str, Any]
) -> None:
    example = ThumbnailExample.of(deployment)
    key = example.upload("overwritten.jpg", pictures.jpeg())
    item = example.wait_for_item(key)
    late_event = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": example.outputs["UploadsBucketName"]},
            "object": {"key": key, "eTag": "0" * 32, "sequencer": "0" * 16},
        },
    }
    answer = deployment.client("lambda").invoke(
        FunctionName=function["FunctionName"], Payload=json.dumps({"Records": [late_event]})
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert example.item(key) == item
    thumbnail = example.s3.head_object(Bucket=example.outputs["ThumbnailsBucketName"], Key=item["thumbnail_key"])
    assert thumbnail["ContentType"] == "image/webp"
    example.remove(key)
    example.wait_until_deleted(key)


def test_publishing_an_existing_image_again_succeeds(deployment: Deployment) -> None:
    """CloudFormation publishes an existing image again if a deployment changes the function but not the image."""
    if "WebImage" not in deployment.outputs("ecr"):
        pytest.skip("no image can be built without a container tool")
    publisher = deployment.client("cloudformation").describe_stack_resource(
        StackName=stack_name("ecr"), LogicalResourceId="PublisherF0355618"
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
    python_templates = {path.name: json.loads(path.read_text()) for path in tmp_path.glob("*.template.json")}
    cli_templates = {
        path.name: json.loads(path.read_text()) for path in (local_aws.folder / "cdk.out").glob("*.template.json")
    }
    assert cli_templates
    assert python_templates == cli_templates
