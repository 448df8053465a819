"""A change that would delete or replace a store fails. The message names the store and the next steps."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.folders import ROOT
from tests.support.losses import complaint, losses, store_types

BUCKET, TABLE, SERVER = "AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::Lightsail::Instance"
DISK, REPOSITORY, GROUP = "AWS::Lightsail::Disk", "AWS::ECR::Repository", "AWS::Logs::LogGroup"
RETAINED = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
DELETED, KEPT = "CloudFormation deletes the old one", "CloudFormation keeps the old one with its data"


def _of(kind: str, **properties: object) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def _key(name: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": "HASH"}]


IN_SERVERS_ZONE = {"AvailabilityZone": {"Fn::GetAtt": ["Server", "Location.AvailabilityZone"]}}
BEFORE_AFTER: dict[str, tuple[dict[str, Any], dict[str, Any] | None, list[str]]] = {
    # logical id: the resource before, the resource after, and the parts of the message
    "Removed": (_of(BUCKET), None, [DELETED]),
    "RemovedInProduction": (_of(TABLE) | RETAINED, None, [KEPT]),
    "KeyChanged": (_of(TABLE, KeySchema=_key("a")), _of(TABLE, KeySchema=_key("b")), ["KeySchema", DELETED]),
    "Named": (_of(TABLE) | RETAINED, _of(TABLE, TableName="notes") | RETAINED, ["TableName", KEPT]),
    "GroupNamed": (_of(GROUP), _of(GROUP, LogGroupName="web"), ["LogGroupName", DELETED]),
    "Encrypted": (
        _of(REPOSITORY, EncryptionConfiguration={"EncryptionType": "AES256"}),
        _of(REPOSITORY, EncryptionConfiguration={"EncryptionType": "KMS"}),
        ["EncryptionConfiguration", DELETED],
    ),
    "AnotherType": (_of(BUCKET), _of(TABLE), [DELETED]),
    "Server": (_of(SERVER, BundleId="nano_3_0"), _of(SERVER, BundleId="micro_3_0"), ["BundleId", DELETED]),
    "WithoutBlueprint": (_of(SERVER, BlueprintId="wordpress"), _of(SERVER), ["BlueprintId", DELETED]),
    # A disk must be in its server's zone, and a replaced server may be in another zone.
    "DiskOfServer": (_of(DISK, **IN_SERVERS_ZONE), _of(DISK, **IN_SERVERS_ZONE), ["AvailabilityZone", DELETED]),
    "MaybeReplaced": (
        _of("AWS::RDS::DBInstance", Engine="mysql"),
        _of("AWS::RDS::DBInstance", Engine="postgres"),
        ["may be replaced", DELETED],
    ),
}
HARMLESS: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None]] = {
    "Tagged": (_of(BUCKET), _of(BUCKET, Tags=[{"Key": "new", "Value": "tag"}])),
    "Alarm": (_of("AWS::CloudWatch::Alarm"), None),
    "BucketPolicy": (_of("AWS::S3::BucketPolicy", PolicyDocument={"Statement": []}) | RETAINED, None),
    "New": (None, _of(BUCKET)),
}


def snapshot_of(stem: str) -> dict[str, Any]:
    folder = ROOT / "tests" / "stacks" / "__snapshots__" / "test_snapshots"
    return dict(json.loads((folder / f"test_template[{stem}.production].json").read_text()))


def test_each_lost_store_is_reported_with_its_reason_and_its_fate() -> None:
    changes = {**{name: change[:2] for name, change in BEFORE_AFTER.items()}, **HARMLESS}
    old, new = (
        {"Resources": {name: change[version] for name, change in changes.items() if change[version]}}
        for version in (0, 1)
    )
    found = losses(old, new, stores={BUCKET, TABLE, SERVER, DISK, REPOSITORY, GROUP, "AWS::RDS::DBInstance"})
    assert set(found) == set(BEFORE_AFTER)
    for name, (_, _, parts) in BEFORE_AFTER.items():
        assert all(part in found[name] for part in parts), found[name]


def test_store_types_include_everything_that_production_retains() -> None:
    stores = set().union(*(store_types(snapshot_of(stem)) for stem in ("thumbnail", "ecr", "lightsail")))
    assert {BUCKET, TABLE, REPOSITORY, SERVER, GROUP, "AWS::SQS::Queue", "AWS::Lightsail::StaticIp"} <= stores
    assert not {kind for kind in stores if kind.endswith("Policy")}


def test_the_message_names_the_next_steps() -> None:
    new = copy.deepcopy(snapshot_of("api"))
    table = next(name for name, resource in new["Resources"].items() if resource["Type"] == TABLE)
    new["Resources"]["Renamed"] = new["Resources"].pop(table)
    text = complaint("compute-api", losses(snapshot_of("api"), new, stores=store_types(snapshot_of("api"))))
    assert f'make snapshots MEANT="compute-api/{table}"' in text
    assert f'override_logical_id("{table}")' in text
    heading = text.splitlines()[-1].partition('"')[2].rstrip('".')
    assert f"**{heading}.**" in (ROOT / "docs" / "decisions.md").read_text()


SNAPSHOT_TESTS = """
import json, pathlib
import pytest
from syrupy.extensions.json import JSONSnapshotExtension
from tests.support.losses import check_snapshot

@pytest.mark.parametrize("meant", ["", "compute-it/Old"], ids=["not-meant", "meant"])
def test_one(snapshot, meant, request):
    file = pathlib.Path(__file__).parent / "__snapshots__" / "test_it" / f"{request.node.name}.json"
    check_snapshot(
        {"Resources": {"New": {"Type": "AWS::S3::Bucket"}}},
        snapshot(extension_class=JSONSnapshotExtension),
        old=json.loads(file.read_text()),
        stores={"AWS::S3::Bucket"},
        stack="compute-it",
        meant=[meant],
    )
"""


@pytest.mark.slow
def test_an_update_keeps_the_snapshot_of_a_lost_store_unless_the_loss_is_meant(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SNAPSHOT_TESTS)
    folder = tmp_path / "__snapshots__" / "test_it"
    folder.mkdir(parents=True)
    not_meant, meant = (folder / f"test_one[{name}].json" for name in ("not-meant", "meant"))
    for file in (not_meant, meant):
        file.write_text(json.dumps({"Resources": {"Old": {"Type": BUCKET}}}, indent=2) + "\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "syrupy", "--snapshot-update", "--rootdir", tmp_path, tmp_path],
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # the other plugins take seconds to import
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 passed" in run.stdout, run.stdout + run.stderr
    assert 'make snapshots MEANT="compute-it/Old"' in run.stdout
    assert set(json.loads(not_meant.read_text())["Resources"]) == {"Old"}
    assert set(json.loads(meant.read_text())["Resources"]) == {"New"}
