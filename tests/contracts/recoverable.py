"""If the first deployment of a stack fails, the rollback succeeds. It keeps only resources that it cannot delete.

A rollback deletes the new resources. If CloudFormation cannot delete a resource, the rollback fails. Such a resource
must have the deletion policy Retain, and `make recover` deletes it. All other resources must not have this policy.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html
"""

from collections.abc import Iterator

from tests.contracts.reading import name_of
from tools.templates import Template, resources

BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"


def faults(template: Template) -> list[str]:
    """Return the resources that make a rollback fail, and those that it leaves behind although it can delete them."""
    undeletable = {*_protected_tables(template), *_protected_user_pools(template), *_log_buckets_of_balancers(template)}
    return [*_protected_balancers(template), *_wrong_policies(template, undeletable)]


def _protected_balancers(template: Template) -> Iterator[str]:
    for name in resources(template, BALANCER):
        if _attributes(template, name).get("deletion_protection.enabled") == "true":
            yield f"{name} cannot be deleted after a failed first deployment, and AWS bills it"


def _wrong_policies(template: Template, undeletable: set[str]) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        policy = resource.get("DeletionPolicy", "Delete")
        # A bucket that remains needs its policy.
        owner = name_of(resource["Properties"]["Bucket"]) if resource["Type"] == "AWS::S3::BucketPolicy" else name
        if owner in undeletable and policy != "Retain":
            yield f"{name} cannot be deleted after a failed first deployment: its DeletionPolicy is {policy}"
        if owner not in undeletable and policy == "Retain":
            yield f"{name} stays behind after a failed first deployment: its DeletionPolicy is Retain"


def _protected_tables(template: Template) -> Iterator[str]:
    for name, table in resources(template, "AWS::DynamoDB::Table").items():
        if table["Properties"].get("DeletionProtectionEnabled"):
            yield name


def _protected_user_pools(template: Template) -> Iterator[str]:
    for name, pool in resources(template, "AWS::Cognito::UserPool").items():
        if pool["Properties"].get("DeletionProtection") == "ACTIVE":
            yield name


def _log_buckets_of_balancers(template: Template) -> Iterator[str]:
    """Yield the buckets into which load balancers write. A load balancer writes a test file as soon as it exists."""
    for name in resources(template, BALANCER):
        attributes = _attributes(template, name)
        if attributes.get("access_logs.s3.enabled") == "true":
            yield name_of(attributes["access_logs.s3.bucket"])


def _attributes(template: Template, balancer: str) -> dict[str, object]:
    attributes = template["Resources"][balancer]["Properties"].get("LoadBalancerAttributes", [])
    return {attribute["Key"]: attribute["Value"] for attribute in attributes}
