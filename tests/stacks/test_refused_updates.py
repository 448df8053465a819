"""These tests check the message that appears if AWS would refuse to update a deployed stack to a changed template."""

import contextlib
import json
from typing import Any

import pytest

from tests.stacks.test_losses import SnapshotRecorder, production_snapshot
from tests.support.folders import ROOT
from tests.support.losses import check_snapshot
from tests.support.refused_updates import refused_updates

TABLE, SERVER, BUCKET = "AWS::DynamoDB::Table", "AWS::Lightsail::Instance", "AWS::S3::Bucket"
KEY = [{"AttributeName": "id", "KeyType": "HASH"}]
OTHER_KEY = [{"AttributeName": "key", "KeyType": "HASH"}]
ONE_INDEX, NO_INDEX_CHANGE = "more than one GSI creation", "Cannot update GSI's properties"
CUSTOM_NAME = "a custom-named resource requires replacing"


def _resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def _index(name: str, *attributes: str, key: Any = OTHER_KEY) -> dict[str, Any]:
    projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": [*attributes]}
    return {"IndexName": name, "KeySchema": key, "Projection": projection}


def _table(*indexes: Any, **properties: Any) -> dict[str, Any]:
    return _resource(TABLE, **{"KeySchema": KEY, "GlobalSecondaryIndexes": [*indexes], **properties})


def _attribute(kind: str) -> dict[str, Any]:
    return {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": kind}]}


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    # the resource before the change, the resource after it, and words of the message
    "attribute of an index": (_table(_index("a", "x")), _table(_index("a", "x", "y")), [NO_INDEX_CHANGE, "index a"]),
    "key of an index": (_table(_index("a")), _table(_index("a", key=KEY)), [NO_INDEX_CHANGE]),
    "two new indexes": (_table(), _table(_index("a"), _index("b")), [ONE_INDEX, "a, b"]),
    "renamed index": (_table(_index("a")), _table(_index("b")), [ONE_INDEX, "a, b"]),
    "key of a named table": (
        _table(TableName="notes"),
        _table(TableName="notes", KeySchema=OTHER_KEY),
        [CUSTOM_NAME, "KeySchema", "change TableName in stacks/it*.py"],
    ),
    "type of a key of a named table": (
        _table(TableName="notes", **_attribute("S")),
        _table(TableName="notes", **_attribute("N")),
        [CUSTOM_NAME, "AttributeDefinitions"],
    ),
    "size of a server": (
        _resource(SERVER, InstanceName="web", BundleId="nano_3_0"),
        _resource(SERVER, InstanceName="web", BundleId="micro_3_0"),
        [CUSTOM_NAME, "BundleId", "InstanceName"],
    ),
    "nested property": (
        _resource("AWS::ECS::CapacityProvider", Name="c", AutoScalingGroupProvider={"AutoScalingGroupArn": "a"}),
        _resource("AWS::ECS::CapacityProvider", Name="c", AutoScalingGroupProvider={"AutoScalingGroupArn": "b"}),
        [CUSTOM_NAME, "AutoScalingGroupProvider/AutoScalingGroupArn"],
    ),
    "port of a named target group": (
        _resource("AWS::ElasticLoadBalancingV2::TargetGroup", Name="web", Port=80),
        _resource("AWS::ElasticLoadBalancingV2::TargetGroup", Name="web", Port=81),
        [CUSTOM_NAME, "Port"],
    ),
    "another type": (_table(), _resource(BUCKET), ["Update of resource type is not permitted", "logical id"]),
}
ALLOWED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one new index": (_table(_index("a")), _table(_index("a"), _index("b"))),
    "one removed index": (_table(_index("a"), _index("b")), _table(_index("b"))),
    "order of attributes": (_table(_index("a", "x", "y")), _table(_index("a", "y", "x"))),
    "capacity of an index": (_table(_index("a")), _table(_index("a") | {"OnDemandThroughput": {}})),
    "two new indexes of a new table": (
        _table(TableName="notes"),
        _table(_index("a"), _index("b"), TableName="notes-2"),
    ),
    "key of a table without a name": (_table(_index("a")), _table(_index("b"), KeySchema=OTHER_KEY)),
    "server with a new name": (
        _resource(SERVER, InstanceName="web", BundleId="nano_3_0"),
        _resource(SERVER, InstanceName="web-2", BundleId="micro_3_0"),
    ),
    "port of a target group without a name": (
        _resource("AWS::ElasticLoadBalancingV2::TargetGroup", Port=80),
        _resource("AWS::ElasticLoadBalancingV2::TargetGroup", Port=81),
    ),
    "updatable property": (
        _resource(SERVER, InstanceName="web", UserData="a"),
        _resource(SERVER, InstanceName="web", UserData="b"),
    ),
    "updatable nested property": (
        _resource("AWS::ECS::CapacityProvider", Name="c", AutoScalingGroupProvider={"ManagedDraining": "ENABLED"}),
        _resource("AWS::ECS::CapacityProvider", Name="c", AutoScalingGroupProvider={"ManagedDraining": "DISABLED"}),
    ),
    "custom resource": (_resource("Custom::Trigger", Name="a"), _resource("Custom::Trigger", Name="b")),
}


@pytest.mark.parametrize("change", REFUSED)
def test_a_refused_update_is_reported_with_the_next_step(change: str) -> None:
    old, new, words = REFUSED[change]
    refused = refused_updates({"Resources": {"It": old}}, {"Resources": {"It": new}}, files="stacks/it*.py")
    assert all(word in refused["It"] for word in [*words, "To proceed", "stacks/it*.py"]), refused["It"]


@pytest.mark.parametrize("change", ALLOWED)
def test_other_updates_are_not_reported(change: str) -> None:
    old, new = ALLOWED[change]
    assert refused_updates({"Resources": {"It": old}}, {"Resources": {"It": new}}, files="") == {}


@pytest.mark.slow  # starts `cdk diff`
@pytest.mark.parametrize("meant", [True, False], ids=["meant", "not-meant"])
def test_an_update_of_the_snapshots_keeps_the_old_one_unless_the_change_is_meant(*, meant: bool) -> None:
    snapshot: Any = SnapshotRecorder()
    old, new = ({"Resources": {"It": table}} for table in REFUSED["two new indexes"][:2])
    failure = contextlib.nullcontext() if meant else pytest.raises(pytest.fail.Exception, match='MEANT="compute-it/It"')
    with failure:
        check_snapshot(
            new, snapshot, old=old, stores={TABLE}, stack="compute-it", meant=["compute-it/It"] if meant else []
        )
    assert snapshot.compared == (new if meant else old)


@pytest.mark.slow  # starts `cdk diff`
def test_the_message_names_the_files_of_the_example() -> None:
    """The server of the lightsail example has a name, so its size cannot change alone."""
    old = production_snapshot("lightsail")
    new = json.loads(json.dumps(old).replace('"BundleId": "', '"BundleId": "other_'))
    assert new != old
    with pytest.raises(pytest.fail.Exception) as failure:
        check_snapshot(new, SnapshotRecorder(), old=old, stores=set(), stack="compute-lightsail", meant=[])  # type: ignore[arg-type]
    assert "also change InstanceName in stacks/lightsail*.py" in str(failure.value)
    assert [*(ROOT / "stacks").glob("lightsail*.py")]
