"""A change that would replace or delete a store of data fails, and says what would be lost and how to go on."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.folders import ROOT
from tests.support.losses import complaint, kinds_of_stores, losses
from tools.templates import Template, resources

SNAPSHOTS = sorted((ROOT / "tests" / "stacks" / "__snapshots__" / "test_snapshots").glob("*.json"))
Change = Callable[[Template], None]


def reviewed(stem: str, profile: str = "production") -> Template:
    (file,) = (file for file in SNAPSHOTS if file.name == f"test_template[{stem}.{profile}].json")
    return dict(json.loads(file.read_text()))


def only(template: Template, kind: str) -> str:
    """The id of the template's first resource of a type."""
    return min(resources(template, kind))


def lost(stem: str, change: Change, profile: str = "production") -> dict[str, str]:
    new = copy.deepcopy(reviewed(stem, profile))
    change(new)
    return losses(reviewed(stem, profile), new, stores=kinds_of_stores(reviewed(stem)))


def _rename(kind: str) -> Change:
    def change(template: Template) -> None:
        name = only(template, kind)
        template["Resources"]["Renamed"] = template["Resources"].pop(name)

    return change


def _remove(kind: str) -> Change:
    return lambda template: template["Resources"].pop(only(template, kind))


def _set(kind: str, **properties: object) -> Change:
    return lambda template: template["Resources"][only(template, kind)]["Properties"].update(properties)


def _drop(kind: str, name: str) -> Change:
    return lambda template: template["Resources"][only(template, kind)]["Properties"].pop(name)


BUCKET, TABLE, REPOSITORY = "AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::ECR::Repository"
SERVER, GROUP, QUEUE = "AWS::Lightsail::Instance", "AWS::Logs::LogGroup", "AWS::SQS::Queue"
HASH = {"AttributeName": "other", "KeyType": "HASH"}
MUTATIONS: dict[str, tuple[str, str, Change, str]] = {
    "a bucket's id changes": ("thumbnail", BUCKET, _rename(BUCKET), "New of its type, and empty: Renamed"),
    "a table is removed": ("cron", TABLE, _remove(TABLE), "is not in the template any more"),
    "a table has another key": ("api", TABLE, _set(TABLE, KeySchema=[HASH]), "since KeySchema changes"),
    "a table gets a name": ("api", TABLE, _set(TABLE, TableName="notes"), "since TableName changes"),
    "a repository is encrypted otherwise": (
        "ecr",
        REPOSITORY,
        _set(REPOSITORY, EncryptionConfiguration={"EncryptionType": "KMS"}),
        "since EncryptionConfiguration and EncryptionConfiguration.EncryptionType changes",
    ),
    "a server has another bundle": ("lightsail", SERVER, _set(SERVER, BundleId="micro_3_0"), "since BundleId changes"),
    "a server loses its blueprint": ("lightsail", SERVER, _drop(SERVER, "BlueprintId"), "since BlueprintId changes"),
    "a queue's id changes": ("batch", QUEUE, _rename(QUEUE), "New of its type, and empty: Renamed"),
    "a log group gets a name": ("fargate", GROUP, _set(GROUP, LogGroupName="web"), "since LogGroupName changes"),
    "a bucket becomes a table": (
        "batch",
        BUCKET,
        lambda template: template["Resources"][only(template, BUCKET)].update(Type=TABLE),
        "is not in the template any more",
    ),
}


@pytest.mark.parametrize("what", MUTATIONS)
@pytest.mark.parametrize(
    ("profile", "fate"), [("sandbox", "deletes it, with all that is in it"), ("production", "keeps it with its data")]
)
def test_a_change_that_loses_a_store_is_told(what: str, profile: str, fate: str) -> None:
    stem, kind, change, reason = MUTATIONS[what]
    ((name, text),) = lost(stem, change, profile).items()
    assert name == only(reviewed(stem, profile), kind)
    assert reason in text
    assert f"CloudFormation {fate}" in text


def test_what_is_replaced_for_the_sake_of_another_is_told() -> None:
    """A disk is in its server's zone: a new server may be in another."""
    new = copy.deepcopy(reviewed("lightsail"))
    new["Resources"]["Disk"] = {
        "Type": "AWS::Lightsail::Disk",
        "Properties": {"AvailabilityZone": {"Fn::GetAtt": ["Server", "Location.AvailabilityZone"]}},
    }
    old = copy.deepcopy(new)
    new["Resources"]["Server"]["Properties"]["InstanceName"] = "other"
    found = losses(old, new, stores={"AWS::Lightsail::Disk"})
    assert "since AvailabilityZone changes" in found["Disk"]


def _harmless(template: Template) -> None:
    for resource in template["Resources"].values():
        resource.get("Properties", {})["Tags"] = [{"Key": "new", "Value": "tag"}]
    for name in [*resources(template, "AWS::CloudWatch::Alarm"), *resources(template, "AWS::S3::BucketPolicy")]:
        del template["Resources"][name]
    template["Resources"]["Another"] = {"Type": BUCKET}


@pytest.mark.parametrize("stem", ["thumbnail", "api", "lightsail"])
def test_a_change_that_loses_nothing_is_none_of_its_business(stem: str) -> None:
    assert lost(stem, _harmless) == {}


def test_what_holds_data_is_known_without_a_list_of_ours() -> None:
    stores = set().union(*(kinds_of_stores(reviewed(stem)) for stem in ("thumbnail", "ecr", "lightsail")))
    assert {BUCKET, TABLE, REPOSITORY, SERVER, GROUP, QUEUE, "AWS::Lightsail::StaticIp"} <= stores
    assert not {kind for kind in stores if kind.endswith("Policy")}


def test_the_complaint_says_how_to_go_on() -> None:
    text = complaint("compute-api", lost("api", _rename(TABLE)))
    table = only(reviewed("api"), TABLE)
    assert f'make snapshots MEANT="compute-api/{table}"' in text
    assert f'override_logical_id("{table}")' in text
    heading = text.splitlines()[-1].partition('"')[2].rstrip('".')
    assert f"**{heading}.**" in (ROOT / "docs" / "decisions.md").read_text()


SNAPSHOTS_OF_A_BUCKET = """
import json, pathlib
import pytest
from syrupy.extensions.json import JSONSnapshotExtension
from tests.support.losses import accept

@pytest.mark.parametrize("meant", ["", "compute-it/Old"], ids=["refused", "accepted"])
def test_one(snapshot, meant, request):
    file = pathlib.Path(__file__).parent / "__snapshots__" / "test_it" / f"{request.node.name}.json"
    accept(
        {"Resources": {"New": {"Type": "AWS::S3::Bucket"}}},
        snapshot(extension_class=JSONSnapshotExtension),
        old=json.loads(file.read_text()),
        stores={"AWS::S3::Bucket"},
        stack="compute-it",
        meant=[meant],
    )
"""


@pytest.mark.slow
def test_no_update_of_snapshots_overwrites_one_that_still_has_the_store(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SNAPSHOTS_OF_A_BUCKET)
    folder = tmp_path / "__snapshots__" / "test_it"
    folder.mkdir(parents=True)
    refused, accepted = (folder / f"test_one[{name}].json" for name in ("refused", "accepted"))
    for file in (refused, accepted):
        file.write_text(json.dumps({"Resources": {"Old": {"Type": BUCKET}}}, indent=2) + "\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "syrupy", "--snapshot-update", "--rootdir", tmp_path, tmp_path],
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # the others take seconds to import
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 passed" in run.stdout, run.stdout + run.stderr
    assert 'make snapshots MEANT="compute-it/Old"' in run.stdout
    assert set(json.loads(refused.read_text())["Resources"]) == {"Old"}
    assert set(json.loads(accepted.read_text())["Resources"]) == {"New"}
