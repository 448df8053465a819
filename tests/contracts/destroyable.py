"""In the sandbox profile, a stack can always be destroyed, and nothing stays behind."""

import re
from collections.abc import Iterator

import config
from tests.contracts.reading import name_of, walk
from tools.templates import Template, resources

CONTRACT_PROFILES = tuple(name for name, profile in config.PROFILES.items() if not profile().retain_data)
SNAPSHOT_BY_DEFAULT = ("AWS::RDS::DBCluster", "AWS::RDS::DBInstance")
"""If a resource of these types has no deletion policy, CloudFormation takes a snapshot before it deletes the resource.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html"""
ONLY_WHEN_EMPTY = (
    *("AWS::Backup::BackupVault", "AWS::ECR::PublicRepository", "AWS::Route53::HostedZone"),
    *("AWS::S3Express::DirectoryBucket", "AWS::S3Tables::TableBucket"),
)
"""Types whose resources CloudFormation deletes only when they are empty. No stack can use them, because this contract
does not know how a stack empties them."""
PROTECTION = re.compile(r".*Protect(ion|ed).*|DisableApi(Termination|Stop)")
"""Names of properties that protect a resource from deletion."""
UNPROTECTED = {"disabled", "false", "inactive", "none", "off"}


def faults(template: Template) -> list[str]:
    """Return the resources that would stay behind or that cannot be deleted."""
    return [*_retained(template), *_not_emptied(template), *_protected(template), *_left_by_services(template)]


def _retained(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
            if resource.get(policy, "Delete") != "Delete":
                yield f"{name} stays behind or leaves a snapshot: its {policy} is {resource[policy]}"
            if resource["Type"] in SNAPSHOT_BY_DEFAULT and policy not in resource:
                yield f"{name} leaves a snapshot behind: it has no {policy}"


def _not_emptied(template: Template) -> Iterator[str]:
    emptied = {
        name_of(custom["Properties"]["BucketName"])
        for custom in resources(template, "Custom::S3AutoDeleteObjects").values()
    }
    for name in resources(template, "AWS::S3::Bucket").keys() - emptied:
        yield f"{name} cannot be deleted when it holds an object, because nothing empties it"
    for name, repository in resources(template, "AWS::ECR::Repository").items():
        if repository["Properties"].get("EmptyOnDelete") is not True:
            yield f"{name} cannot be deleted when it holds an image"
    for kind in ONLY_WHEN_EMPTY:
        for name in resources(template, kind):
            yield f"{name} can be deleted only when it is empty, and this contract does not know how to empty it"


def _protected(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        for key, value in walk(resource.get("Properties", {})):
            if PROTECTION.fullmatch(key) and str(value).lower() not in UNPROTECTED:
                yield f"{name} is protected from deletion: {key} is {value}"
    for name, balancer in resources(template, "AWS::ElasticLoadBalancingV2::LoadBalancer").items():
        for attribute in balancer["Properties"].get("LoadBalancerAttributes", []):
            if (attribute["Key"], attribute["Value"]) == ("deletion_protection.enabled", "true"):
                yield f"{name} is protected from deletion"


def _left_by_services(template: Template) -> Iterator[str]:
    for name, cluster in resources(template, "AWS::ECS::Cluster").items():
        for setting in cluster["Properties"].get("ClusterSettings", []):
            if setting["Name"] == "containerInsights" and setting["Value"] != "disabled":
                yield f"{name} has Container Insights, whose log group ECS creates and leaves behind"
    for name, table in resources(template, "AWS::DynamoDB::Table").items():
        if table["Properties"].get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
            yield f"{name} leaves a backup behind for 35 days"
