"""In production, a store stays when its stack is deleted. It is protected, and has the backups that AWS offers.

A store is a resource that holds data, such as a bucket.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import config
from tests.contracts.reading import name_of, properties, referenced_ids, statements
from tests.support.schemas import published, schema
from tools.templates import Template, resources

CONTRACT_PROFILES = tuple(name for name, profile in config.PROFILES.items() if profile().retain_data)
STORE_PROPERTIES = re.compile(
    r"encrypt|kms|deletionprotect|backup|snapshot|versioning|pointintime|storage", re.IGNORECASE
)
"""Words in the names of properties that stores have. For example, only a store needs encryption at rest."""
STORE_NAMES = re.compile(
    r".*(Bucket|Cluster|Database|Disk|FileSystem|Graph|Keyspace|Ledger|Repository|Store|Table|Vault|Volume)"
)
"""The names of many store types end with one of these words."""
NO_STORES: Mapping[str, str] = {
    "AWS::AutoScaling::AutoScalingGroup": "its instances delete their disks when they end",
    "AWS::EC2::RouteTable": "it holds only routes",
    "AWS::EC2::VPC": "it encrypts data in transit",
    "AWS::ECS::Cluster": "it only groups tasks",
    "AWS::ECS::TaskDefinition": "ECS deletes its storage with the task",
    "AWS::KinesisFirehose::DeliveryStream": "it writes its data to a bucket within a minute",
    "AWS::Lambda::EventSourceMapping": "it only connects a queue or a stream with a function",
    "AWS::Lambda::Function": "its code is in the repository, and Lambda deletes its disk with the environment",
    "AWS::SNS::Topic": "it sends messages on at once",
    "AWS::Scheduler::Schedule": "all its data is in the template",
}
"""Types that look like stores, and the reason why they are not."""
NEEDED_BY_STORES = ("AWS::KMS::Key", "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::Lightsail::StaticIp")
"""Resources that a retained store needs. For example, a bucket without its policy accepts requests without TLS, and
nobody can read a log group without its key."""

RETAINING_POLICIES = {"DeletionPolicy": ("Retain", "RetainExceptOnCreate"), "UpdateReplacePolicy": ("Retain",)}
"""The values that retain a store. RetainExceptOnCreate is enough, because a failed first deployment has no data yet."""


def faults(template: Template) -> list[str]:
    """Return the stores that a deletion of the stack or a mistake would destroy."""
    all_faults: list[str] = []
    for name, resource in template["Resources"].items():
        kind = resource["Type"]
        if kind in NEEDED_BY_STORES:
            all_faults += _not_retained(name, resource)
        elif kind in BACKED_UP and not _is_unimportant_log_group(template, name):
            all_faults += [*_not_retained(name, resource), *BACKED_UP[kind](template, name)]
        elif kind not in BACKED_UP and is_store(kind) and kind not in NO_STORES:
            all_faults.append(
                f"{name} looks like a store, and this contract does not know how {kind} is backed up. If it keeps "
                "data, add a function to BACKED_UP in tests/contracts/retained.py. If not, add a reason to NO_STORES"
            )
    return [*all_faults, *(f"{name} empties a store" for name in resources(template, "Custom::S3AutoDeleteObjects"))]


@cache
def is_store(kind: str) -> bool:
    """Whether a type keeps data. The answer follows from cfn-lint's list, the name of the type and its schema."""
    if not kind.startswith("AWS::"):
        return False
    if kind in published("StatefulResources.json")["ResourceTypes"]:
        return True
    found = schema(kind)
    if found is None:
        return True  # the type is newer than cfn-lint, so a person should look at it
    nested_properties = (key for one in found.get("definitions", {}).values() for key in one.get("properties", {}))
    return bool(
        STORE_NAMES.fullmatch(kind)
        or any(map(STORE_PROPERTIES.search, found["properties"]))
        or any("AutoSnapshot" in key for key in nested_properties)
    )


def _not_retained(name: str, resource: Any) -> Iterator[str]:
    for policy, retained in RETAINING_POLICIES.items():
        if resource.get(policy) not in retained:
            yield f"{name} may be lost: its {policy} is {resource.get(policy)}"


def _is_unimportant_log_group(template: Template, name: str) -> bool:
    """Whether a log group holds only rejected packets, or only logs of the helper functions of CDK."""
    groups = {
        name_of(flow["Properties"].get("LogGroupName")) for flow in resources(template, "AWS::EC2::FlowLog").values()
    }
    helpers = set()
    for resource in template["Resources"].values():
        if not resource["Type"].startswith("AWS::"):
            handlers = referenced_ids([resource["Properties"].get(key) for key in ("ServiceToken", "HandlerArn")])
            helpers |= handlers | referenced_ids([properties(template, handler) for handler in handlers])
    functions = resources(template, "AWS::Lambda::Function")
    groups |= {
        name_of(properties(template, helper)["LoggingConfig"]["LogGroup"]) for helper in helpers & set(functions)
    }
    return name in groups


# -- how each kind of store is restored


def _table_faults(template: Template, name: str) -> Iterator[str]:
    table = properties(template, name)
    if not table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
        yield f"{name} has no point-in-time recovery"
    if not table.get("DeletionProtectionEnabled"):
        yield f"{name} is not protected from deletion"


def _user_pool_faults(template: Template, name: str) -> Iterator[str]:
    if properties(template, name).get("DeletionProtection") != "ACTIVE":  # AWS offers no backup of users
        yield f"{name} is not protected from deletion"


def _bucket_faults(template: Template, name: str) -> Iterator[str]:
    lifecycle = properties(template, name).get("LifecycleConfiguration", {}).get("Rules", [])
    expires = any("ExpirationInDays" in rule and "Prefix" not in rule for rule in lifecycle)
    if not (_has_versions(template, name) or expires or _can_be_made_again(template, name)):
        yield f"{name} keeps no versions, and no function can make its objects again"


def _has_versions(template: Template, name: str) -> bool:
    return properties(template, name).get("VersioningConfiguration") == {"Status": "Enabled"}


def _can_be_made_again(template: Template, name: str) -> bool:
    """Whether a role can write to the bucket and read from a bucket with versions. Thumbnails are an example."""
    for role in resources(template, "AWS::IAM::Role"):
        allowed = list(statements(template, role))
        puts = (referenced_ids(one["Resource"]) for one in allowed if "s3:PutObject" in one["Action"])
        gets = (referenced_ids(one["Resource"]) for one in allowed if "s3:GetObject" in one["Action"])
        if name in set().union(*puts) and any(_has_versions(template, source) for source in set().union(*gets)):
            return True
    return False


def _repository_faults(template: Template, name: str) -> Iterator[str]:
    if properties(template, name).get("ImageTagMutability") != "IMMUTABLE":
        yield f"{name} lets a push overwrite an image"
    if properties(template, name).get("EmptyOnDelete"):
        yield f"CloudFormation would empty {name}"


def _snapshot_faults(template: Template, name: str) -> Iterator[str]:
    if not any(one["AddOnType"] == "AutoSnapshot" for one in properties(template, name).get("AddOns", [])):
        yield f"{name} has no snapshots"


def _lightsail_database_faults(template: Template, name: str) -> Iterator[str]:
    if not properties(template, name).get("BackupRetention"):
        yield f"{name} has no backups"


def _lightsail_bucket_faults(template: Template, name: str) -> Iterator[str]:
    if not properties(template, name).get("ObjectVersioning"):
        yield f"{name} keeps no versions"


def _without_backup(_template: Template, _name: str) -> Iterator[str]:
    yield from ()  # the content expires after the retention, and AWS offers no backups


BACKED_UP: Mapping[str, Callable[[Template, str], Iterator[str]]] = {
    "AWS::Cognito::UserPool": _user_pool_faults,
    "AWS::DynamoDB::Table": _table_faults,
    "AWS::ECR::Repository": _repository_faults,
    "AWS::Lightsail::Bucket": _lightsail_bucket_faults,
    "AWS::Lightsail::Database": _lightsail_database_faults,
    "AWS::Lightsail::Disk": _snapshot_faults,
    "AWS::Lightsail::Instance": _snapshot_faults,
    "AWS::Logs::LogGroup": _without_backup,
    "AWS::S3::Bucket": _bucket_faults,
    "AWS::SQS::Queue": _without_backup,
}
"""For each known type of store, the function that checks how its data can be restored."""
