"""In the sandbox profile, the instances of a stack need no more vCPUs than the quotas of a new account allow."""

from collections.abc import Iterator

import config
from tests.contracts.reading import name_of, properties
from tools.templates import Template, resources

CONTRACT_PROFILES = tuple(name for name, profile in config.PROFILES.items() if not profile().retain_data)
NEW_ACCOUNT_VCPUS = 5
"""The default quota for on-demand instances, and the default quota for Spot instances.
https://docs.aws.amazon.com/general/latest/gr/ec2-service.html"""
MIN_CHILDREN = 2
"""The smallest array job: https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html."""
VCPUS = {"t4g.micro": 2, "t3.micro": 2}
"""The number of vCPUs of each instance type."""


def faults(template: Template) -> list[str]:
    """Return the resources that need more vCPUs than a new account has, or that allow too few vCPUs for a job."""
    return [*_environment_faults(template), *_group_faults(template)]


def _environment_faults(template: Template) -> Iterator[str]:
    job_vcpus = [
        int(size["Value"])
        for job in resources(template, "AWS::Batch::JobDefinition").values()
        for size in job["Properties"]["ContainerProperties"]["ResourceRequirements"]
        if size["Type"] == "VCPU"
    ]
    for name, environment in resources(template, "AWS::Batch::ComputeEnvironment").items():
        vcpus = environment["Properties"]["ComputeResources"]["MaxvCpus"]
        if vcpus > NEW_ACCOUNT_VCPUS:
            yield f"{name} may start {vcpus} vCPUs, but a new account has {NEW_ACCOUNT_VCPUS}"
        if vcpus < MIN_CHILDREN * max(job_vcpus):
            yield f"{name} may start only {vcpus} vCPUs, which is not enough for an array job"


def _group_faults(template: Template) -> Iterator[str]:
    for name, group in resources(template, "AWS::AutoScaling::AutoScalingGroup").items():
        launch_template = name_of(group["Properties"]["LaunchTemplate"]["LaunchTemplateId"])
        instance_type = properties(template, launch_template)["LaunchTemplateData"]["InstanceType"]
        if instance_type not in VCPUS:
            yield f"this contract does not know the vCPUs of {instance_type}: add them to VCPUS"
            continue
        update = group["UpdatePolicy"]["AutoScalingRollingUpdate"]
        in_service = update.get("MinInstancesInService") or 0
        if in_service == 0:
            yield f"{name} keeps no instance in service during an update"
        instances = max(int(group["Properties"]["MinSize"]), in_service + update["MaxBatchSize"])
        vcpus = instances * VCPUS[instance_type]
        if vcpus > NEW_ACCOUNT_VCPUS:
            yield f"{name} runs {vcpus} vCPUs at once, but a new account has {NEW_ACCOUNT_VCPUS}"
