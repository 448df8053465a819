"""In the sandbox profile, the instances of a stack fit into the quotas of a new account."""

from collections.abc import Iterator

import config
from tools.templates import Template, resources

HELD_IN = tuple(name for name, profile in config.PROFILES.items() if not profile().retain_data)
NEW_ACCOUNT_VCPUS = 5
"""The default quota for on-demand instances, and the default quota for Spot instances.
https://docs.aws.amazon.com/general/latest/gr/ec2-service.html"""
MIN_CHILDREN = 2
"""The smallest array job: https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html."""


def faults(template: Template) -> list[str]:
    """Return the resources that need more vCPUs than a new account has, or that allow too few."""
    return [*_environment_faults(template)]


def _environment_faults(template: Template) -> Iterator[str]:
    sizes = [
        int(size["Value"])
        for job in resources(template, "AWS::Batch::JobDefinition").values()
        for size in job["Properties"]["ContainerProperties"]["ResourceRequirements"]
        if size["Type"] == "VCPU"
    ]
    for name, environment in resources(template, "AWS::Batch::ComputeEnvironment").items():
        vcpus = environment["Properties"]["ComputeResources"]["MaxvCpus"]
        if vcpus > NEW_ACCOUNT_VCPUS:
            yield f"{name} may start {vcpus} vCPUs, but a new account has {NEW_ACCOUNT_VCPUS}"
        if vcpus < MIN_CHILDREN * max(sizes):
            yield f"{name} may start only {vcpus} vCPUs, which is not enough for an array job"
