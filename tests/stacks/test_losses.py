"""These tests check the message that appears if a changed template would delete or replace a store.

A store is a resource that holds data, such as a bucket.
"""

import contextlib
import copy
import json
from typing import Any

import pytest

from tests.support.folders import ROOT
from tests.support.losses import check_snapshot, loss_message, losses, store_types

BUCKET, TABLE, SERVER = "AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::Lightsail::Instance"
DISK, REPOSITORY, LOG_GROUP = "AWS::Lightsail::Disk", "AWS::ECR::Repository", "AWS::Logs::LogGroup"
RETAIN = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
DELETED, RETAINED_OUTSIDE = "CloudFormation deletes the old one", "CloudFormation keeps the old one with its data"


def _resource(kind: str, **properties: object) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def _key_schema(name: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": "HASH"}]


ZONE_OF_SERVER = {"AvailabilityZone": {"Fn::GetAtt": ["Server", "Location.AvailabilityZone"]}}
LOSSES: dict[str, tuple[dict[str, Any], dict[str, Any] | None, list[str]]] = {
    # logical id: the resource before the change, the resource after it, and words of the message
    "Removed": (_resource(BUCKET), None, [DELETED]),
    "RemovedInProduction": (_resource(TABLE) | RETAIN, None, [RETAINED_OUTSIDE]),
    "KeyChanged": (
        _resource(TABLE, KeySchema=_key_schema("a")),
        _resource(TABLE, KeySchema=_key_schema("b")),
        ["KeySchema", DELETED],
    ),
    "Named": (_resource(TABLE) | RETAIN, _resource(TABLE, TableName="notes") | RETAIN, ["TableName", RETAINED_OUTSIDE]),
    "LogGroupNamed": (_resource(LOG_GROUP), _resource(LOG_GROUP, LogGroupName="web"), ["LogGroupName", DELETED]),
    "Encrypted": (
        _resource(REPOSITORY, EncryptionConfiguration={"EncryptionType": "AES256"}),
        _resource(REPOSITORY, EncryptionConfiguration={"EncryptionType": "KMS"}),
        ["EncryptionConfiguration", DELETED],
    ),
    "AnotherType": (_resource(BUCKET), _resource(TABLE), [DELETED]),
    "Server": (_resource(SERVER, BundleId="nano_3_0"), _resource(SERVER, BundleId="micro_3_0"), ["BundleId", DELETED]),
    "WithoutBlueprint": (_resource(SERVER, BlueprintId="wordpress"), _resource(SERVER), ["BlueprintId", DELETED]),
    # A disk must be in the zone of its server. If the server is replaced, the new server may be in another zone.
    "DiskOfServer": (
        _resource(DISK, **ZONE_OF_SERVER),
        _resource(DISK, **ZONE_OF_SERVER),
        ["AvailabilityZone", DELETED],
    ),
    "MaybeReplaced": (
        _resource("AWS::RDS::DBInstance", Engine="mysql"),
        _resource("AWS::RDS::DBInstance", Engine="postgres"),
        ["may be replaced", DELETED],
    ),
}
HARMLESS_CHANGES: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None]] = {
    "Tagged": (_resource(BUCKET), _resource(BUCKET, Tags=[{"Key": "new", "Value": "tag"}])),
    "Alarm": (_resource("AWS::CloudWatch::Alarm"), None),
    "BucketPolicy": (_resource("AWS::S3::BucketPolicy", PolicyDocument={"Statement": []}) | RETAIN, None),
    "New": (None, _resource(BUCKET)),
}


def production_snapshot(stem: str) -> dict[str, Any]:
    folder = ROOT / "tests" / "stacks" / "__snapshots__" / "test_snapshots"
    return dict(json.loads((folder / f"test_template[{stem}.production].json").read_text()))


@pytest.mark.slow  # starts `cdk diff`
def test_every_lost_store_is_reported_with_the_cause_and_the_consequence() -> None:
    changes = {**{name: change[:2] for name, change in LOSSES.items()}, **HARMLESS_CHANGES}
    old, new = (
        {"Resources": {name: change[version] for name, change in changes.items() if change[version]}}
        for version in (0, 1)
    )
    explanations = losses(old, new, stores={BUCKET, TABLE, SERVER, DISK, REPOSITORY, LOG_GROUP, "AWS::RDS::DBInstance"})
    assert set(explanations) == set(LOSSES)
    for name, (_, _, expected_words) in LOSSES.items():
        assert all(words in explanations[name] for words in expected_words), explanations[name]


@pytest.mark.slow  # loads cfn-lint
def test_store_types_include_every_type_that_production_retains() -> None:
    stores = set().union(*(store_types(production_snapshot(stem)) for stem in ("thumbnail", "ecr", "lightsail")))
    assert {BUCKET, TABLE, REPOSITORY, SERVER, LOG_GROUP, "AWS::SQS::Queue", "AWS::Lightsail::StaticIp"} <= stores
    assert not {kind for kind in stores if kind.endswith("Policy")}


@pytest.mark.slow  # starts `cdk diff`
def test_the_message_names_the_next_steps() -> None:
    changed = copy.deepcopy(production_snapshot("api"))
    table = next(name for name, resource in changed["Resources"].items() if resource["Type"] == TABLE)
    changed["Resources"]["Renamed"] = changed["Resources"].pop(table)
    text = loss_message(
        "compute-api", losses(production_snapshot("api"), changed, stores=store_types(production_snapshot("api")))
    )
    assert f'make snapshots MEANT="compute-api/{table}"' in text
    assert f'override_logical_id("{table}")' in text
    heading = text.splitlines()[-1].partition('"')[2].rstrip('".')
    assert f"**{heading}.**" in (ROOT / "docs" / "decisions.md").read_text()


class SnapshotRecorder:
    """Records the template that is compared with the snapshot. An update would write this template."""

    def __eq__(self, template: object) -> bool:
        self.compared = template
        return True

    __hash__ = object.__hash__


@pytest.mark.slow  # starts `cdk diff`
@pytest.mark.parametrize("meant", [True, False], ids=["meant", "not-meant"])
def test_an_update_keeps_the_snapshot_of_a_lost_store_unless_the_loss_is_meant(*, meant: bool) -> None:
    snapshot: Any = SnapshotRecorder()
    old, new = {"Resources": {"Old": _resource(BUCKET)}}, {"Resources": {"New": _resource(BUCKET)}}
    failure = contextlib.nullcontext() if meant else pytest.raises(pytest.fail.Exception, match="compute-it/Old")
    with failure:
        check_snapshot(
            new, snapshot, old=old, stores={BUCKET}, stack="compute-it", meant=["compute-it/Old"] if meant else []
        )
    assert snapshot.compared == (new if meant else old)
