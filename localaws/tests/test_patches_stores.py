"""Tests of the patches of buckets and tables. Each test fails if a patch does not work or is no longer necessary."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import Client
from helpers import apply_change_set, failure_reasons, physical_ids
from updates import TABLE, TABLE_WITH_INDEX, resource

# -- store_bucket_rules

BUCKET = {
    "LifecycleConfiguration": {
        "Rules": [
            {
                "Id": "all",
                "Status": "Enabled",
                "Prefix": "logs/",
                "TagFilters": [{"Key": "a", "Value": "1"}],
                "ExpirationInDays": 3,
                "Transitions": [{"TransitionInDays": 1, "StorageClass": "GLACIER"}],
                "NoncurrentVersionTransitions": [{"TransitionInDays": 2, "StorageClass": "GLACIER"}],
                "NoncurrentVersionExpiration": {"NoncurrentDays": 4},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 5},
            }
        ]
    },
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
}
RULE = {
    "ID": "all",
    "Status": "Enabled",
    "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "1"}]}},
    "Expiration": {"Days": 3},
    "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}],
    "NoncurrentVersionTransitions": [{"NoncurrentDays": 2, "StorageClass": "GLACIER"}],
    "NoncurrentVersionExpiration": {"NoncurrentDays": 4},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 5},
}


def rules_of_bucket(client: Client, properties: Any) -> tuple[Any, str]:
    """Deploy a bucket. Return its lifecycle rule, and its setting for the owner of objects."""
    apply_change_set(client, "bucket-rules", {"Bucket": resource("S3::Bucket", **properties)})
    s3, bucket = client("s3"), physical_ids(client, "bucket-rules")["Bucket"]
    try:
        (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        rule["Filter"]["And"].pop("ObjectSizeGreaterThan")  # the stock engine adds this condition, with the value 0
    except ClientError as error:
        rule = error.response["Error"]["Code"]
    (ownership,) = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    return rule, ownership["ObjectOwnership"]


def test_a_bucket_has_the_rules_of_its_template(stock: Client, patched: Client) -> None:
    defaults = ("NoSuchLifecycleConfiguration", "BucketOwnerEnforced")
    assert rules_of_bucket(stock, BUCKET) == defaults
    assert rules_of_bucket(patched, BUCKET) == (RULE, "ObjectWriter")
    assert rules_of_bucket(patched, {}) == defaults


# -- store_table_settings


def settings_of_table(client: Client) -> tuple[str, str]:
    """Deploy a table. Return the states of its recovery and of its time to live."""
    settings = {
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "TimeToLiveSpecification": {"AttributeName": "end", "Enabled": True},
    }
    apply_change_set(client, "table-settings", {"Table": resource("DynamoDB::Table", **TABLE, **settings)})
    table = {"TableName": physical_ids(client, "table-settings")["Table"]}
    backups = client("dynamodb").describe_continuous_backups(**table)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    time_to_live = client("dynamodb").describe_time_to_live(**table)["TimeToLiveDescription"]["TimeToLiveStatus"]
    return recovery, time_to_live


def test_a_table_has_the_settings_of_its_template(stock: Client, patched: Client) -> None:
    assert settings_of_table(stock) == ("DISABLED", "DISABLED")
    assert settings_of_table(patched) == ("ENABLED", "ENABLED")


# -- keep_replaced_tables

REFUSED_QUEUE = {**resource("SQS::Queue", QueueName="standard.fifo"), "DependsOn": "Table"}
"""A queue that SQS refuses to create, because only a FIFO queue can have this name."""


def change_key_of_table(client: Client, change: Any, **others: Any) -> tuple[bool, int]:
    """Deploy a table with one item, and then change its key. Return whether the table is a new one, and its items."""
    stack = f"key-{len(client('cloudformation').describe_stacks()['Stacks'])}"
    apply_change_set(client, stack, {"Table": resource("DynamoDB::Table", **TABLE)})
    name = physical_ids(client, stack)["Table"]
    client("dynamodb").put_item(TableName=name, Item={"id": {"S": "1"}})
    apply_change_set(client, stack, {"Table": resource("DynamoDB::Table", **{**TABLE, **change}), **others})
    new_name = physical_ids(client, stack)["Table"]
    return new_name != name, client("dynamodb").scan(TableName=new_name)["Count"]


def announced_replacements(client: Client) -> list[str]:
    """Return the logical ids of all resources whose replacement an event announces."""
    cloudformation = client("cloudformation")
    return [
        event["LogicalResourceId"]
        for stack in cloudformation.describe_stacks()["Stacks"]
        for event in cloudformation.describe_stack_events(StackName=stack["StackName"])["StackEvents"]
        if "requires the creation of a new physical resource" in event.get("ResourceStatusReason", "")
    ]


OTHER_KEY = {
    "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
}
OTHER_TYPE = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}]}


@pytest.mark.parametrize(("change", "stock_items"), [(OTHER_KEY, 0), (OTHER_TYPE, 1)], ids=["key", "type"])
def test_a_table_with_a_changed_key_is_a_new_table(
    stock: Client, patched: Client, change: Any, stock_items: int
) -> None:
    assert change_key_of_table(stock, change) == (False, stock_items)
    assert change_key_of_table(patched, change) == (True, 0)
    assert "Table" in announced_replacements(patched)


def test_a_rollback_restores_a_replaced_table(stock: Client, patched: Client) -> None:
    assert change_key_of_table(stock, OTHER_KEY, Last=REFUSED_QUEUE) == (False, 0)
    assert change_key_of_table(patched, OTHER_KEY, Last=REFUSED_QUEUE) == (False, 1)


# -- refuse_index_changes

(INDEX,) = TABLE_WITH_INDEX["GlobalSecondaryIndexes"]
ONE_CHANGE = "Cannot perform more than one GSI creation or deletion in a single update"
NO_OTHER_CHANGE = (
    "Cannot update GSI's properties other than Provisioned Throughput and Contributor Insights Specification. "
    "You can create a new GSI with a different name."
)


def with_indexes(*indexes: Any) -> dict[str, Any]:
    """Return a table with these indexes."""
    return resource("DynamoDB::Table", **{**TABLE_WITH_INDEX, "GlobalSecondaryIndexes": [*indexes]})


def including(*attributes: str) -> dict[str, Any]:
    """Return the index with these additional attributes."""
    return {**INDEX, "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": [*attributes]}}


REFUSED_CHANGES = {
    "attribute": ([including("a")], [including("a", "b")], NO_OTHER_CHANGE),
    "projection": ([INDEX], [including("a")], NO_OTHER_CHANGE),
    "key": ([INDEX], [{**INDEX, "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}], NO_OTHER_CHANGE),
    "name": ([INDEX], [{**INDEX, "IndexName": "renamed"}], ONE_CHANGE),
    "two": ([INDEX], [INDEX, {**INDEX, "IndexName": "two"}, {**INDEX, "IndexName": "three"}], ONE_CHANGE),
}
"""The indexes of the first and of the second template, and the words of AWS."""


@pytest.mark.parametrize("change", REFUSED_CHANGES)
def test_changes_of_indexes_are_refused_as_on_aws(stock: Client, patched: Client, change: str) -> None:
    first, second, reason = REFUSED_CHANGES[change]
    stack = f"refused-{change}"
    for client in (stock, patched):
        assert apply_change_set(client, stack, {"Table": with_indexes(*first)}) == "CREATE_COMPLETE"
    assert apply_change_set(stock, stack, {"Table": with_indexes(*second)}) == "UPDATE_COMPLETE"
    assert apply_change_set(patched, stack, {"Table": with_indexes(*second)}) == "UPDATE_ROLLBACK_COMPLETE"
    assert failure_reasons(patched, stack) == [reason]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([INDEX, {**INDEX, "IndexName": "two"}], [INDEX]),
        ([INDEX], [INDEX, {**INDEX, "IndexName": "two"}]),
        ([including("a", "b")], [including("b", "a")]),
        ([INDEX], [{**INDEX, "OnDemandThroughput": {"MaxReadRequestUnits": 9}}]),
    ],
    ids=["deletion", "creation", "order", "throughput"],
)
def test_other_changes_of_indexes_are_allowed(
    patched: Client, request: pytest.FixtureRequest, first: Any, second: Any
) -> None:
    stack = f"allowed-{request.node.callspec.id}"
    apply_change_set(patched, stack, {"Table": with_indexes(*first)})
    assert apply_change_set(patched, stack, {"Table": with_indexes(*second)}) == "UPDATE_COMPLETE"
