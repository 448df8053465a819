"""These tests check the most important properties of the batch stack. test_snapshots.py compares its whole template."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template
from aws_cdk.aws_ecr_assets import DockerImageAsset
from aws_cdk.aws_logs import RetentionDays

from batch.command import STOPPED
from stacks._pictures import MAX_BYTES, MAX_DECODING_BYTES
from stacks.batch import BatchStack
from stacks.batch_job import ATTEMPTS, DOCKERFILE, MEMORY_MIB, VCPUS
from tests.support.apps import (
    assembly,
    example_assembly,
    get_att,
    properties_of,
    stack_name,
    template_with,
    templates,
)
from tests.support.bundles import locked_versions
from tests.support.folders import ROOT
from tools.templates import resources, templates_in

SANDBOX = templates("sandbox")["batch"]
PRODUCTION = templates("production")["batch"]
in_both_profiles = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])


def assembly_with_settings() -> Path:
    """Return the cloud assembly of the example. No setting of this example has its default value."""
    settings = {
        "architecture": "x86_64",
        "alarm_email": "me@example.com",
        "batch_max_vcpus": "32",
        "batch_monthly_budget": "5",
        "batch_schedule": "cron(0 3 * * ? *)",
    }
    return example_assembly("batch", **settings)


# -- capacity


@in_both_profiles
def test_the_queue_uses_spot_instances_first_and_then_on_demand_instances(template: dict[str, Any]) -> None:
    order = properties_of(template, "AWS::Batch::JobQueue")["ComputeEnvironmentOrder"]
    assert [(one["Order"], one["ComputeEnvironment"]) for one in order] == [
        (1, get_att(template, "Spot", "ComputeEnvironmentArn")),
        (2, get_att(template, "OnDemand", "ComputeEnvironmentArn")),
    ]
    for id_, type_, strategy in (
        ("Spot", "SPOT", "SPOT_PRICE_CAPACITY_OPTIMIZED"),
        ("OnDemand", "EC2", "BEST_FIT_PROGRESSIVE"),
    ):
        compute = properties_of(template, "AWS::Batch::ComputeEnvironment", id_)["ComputeResources"]
        assert (compute["Type"], compute["AllocationStrategy"]) == (type_, strategy)
        assert compute["MinvCpus"] == 0, "with a higher minimum, an instance would run and cost money without jobs"
        assert compute["MaxvCpus"] == 4, "a new account often has a quota of 5 vCPUs"


@in_both_profiles
def test_batch_can_update_compute_environments_in_place(template: dict[str, Any]) -> None:
    """See https://docs.aws.amazon.com/batch/latest/userguide/updating-compute-environments.html."""
    for environment in resources(template, "AWS::Batch::ComputeEnvironment").values():
        properties = environment["Properties"]
        assert properties["ReplaceComputeEnvironment"] is False
        assert "ServiceRole" not in properties, "Batch updates in place only with its service-linked role"
        assert properties["ComputeResources"]["UpdateToLatestImageVersion"] is True
        version = properties["ComputeResources"]["LaunchTemplate"]["Version"]
        assert version["Fn::GetAtt"][1] == "LatestVersionNumber", (
            "with a fixed number, Batch would ignore a new version of the launch template"
        )


@in_both_profiles
def test_instances_require_imdsv2_and_have_an_encrypted_disk(template: dict[str, Any]) -> None:
    launch = properties_of(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert launch["MetadataOptions"]["HttpTokens"] == "required"
    (disk,) = launch["BlockDeviceMappings"]
    assert (disk["Ebs"]["Encrypted"], disk["Ebs"]["VolumeType"]) == (True, "gp3")


@in_both_profiles
def test_instances_can_open_only_https_connections(template: dict[str, Any]) -> None:
    security_group = properties_of(template, "AWS::EC2::SecurityGroup", "InstancesGroup")
    assert [(rule["IpProtocol"], rule["FromPort"]) for rule in security_group["SecurityGroupEgress"]] == [("tcp", 443)]


@pytest.mark.parametrize(
    ("template", "kind"), [(SANDBOX, "Public"), (PRODUCTION, "Private")], ids=["sandbox", "production"]
)
def test_instances_run_in_private_subnets_only_in_production(template: dict[str, Any], kind: str) -> None:
    subnets = properties_of(template, "AWS::Batch::ComputeEnvironment", "Spot")["ComputeResources"]["Subnets"]
    assert len(subnets) == 2
    assert all(subnet["Ref"].startswith(f"Vpc{kind}Subnet") for subnet in subnets)


def test_instances_and_image_have_the_configured_architecture() -> None:
    """The template names no instance families, because Batch rejects a family that the region does not have."""
    for folder, architecture, platform in (
        (assembly("sandbox"), "arm64", "linux/arm64"),
        (assembly_with_settings(), "x86_64", "linux/amd64"),
    ):
        for environment in resources(templates_in(folder)["batch"], "AWS::Batch::ComputeEnvironment").values():
            assert environment["Properties"]["ComputeResources"]["InstanceTypes"] == [f"default_{architecture}"]
        assets = json.loads((folder / f"{stack_name('batch')}.assets.json").read_text())["dockerImages"]
        assert [one["source"]["platform"] for one in assets.values()] == [platform]


def test_instances_have_the_configured_types_and_zones() -> None:
    template = template_with(
        "batch", batch_instance_types="c7g.large,m7g.large", availability_zones="eu-west-1a,eu-west-1c"
    )
    for environment in resources(template, "AWS::Batch::ComputeEnvironment").values():
        assert environment["Properties"]["ComputeResources"]["InstanceTypes"] == ["c7g.large", "m7g.large"]
    zones = [subnet["Properties"]["AvailabilityZone"] for subnet in resources(template, "AWS::EC2::Subnet").values()]
    assert zones == ["eu-west-1a", "eu-west-1c"]


def test_a_child_fits_into_the_smallest_instance() -> None:
    # A c6g.large has 4 GiB. The kernel, the agent and Batch (32 MiB) use some of it, so 3.7 GiB remain for children.
    assert MEMORY_MIB <= 3_700
    decoders = VCPUS * (MAX_DECODING_BYTES + MAX_BYTES) / 1024**2
    assert MEMORY_MIB - decoders >= 800, "the program without its decoders needs memory, too"


@in_both_profiles
def test_batch_removes_a_job_that_cannot_start_from_the_head_of_the_queue(template: dict[str, Any]) -> None:
    actions = properties_of(template, "AWS::Batch::JobQueue")["JobStateTimeLimitActions"]
    assert {one["Reason"]: one["MaxTimeSeconds"] for one in actions} == {
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT": 600,
        "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE": 600,
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY": 86_400,
    }


def test_cloudformation_deletes_the_compute_environments_before_it_empties_the_buckets() -> None:
    for environment in resources(SANDBOX, "AWS::Batch::ComputeEnvironment").values():
        assert set(resources(SANDBOX, "Custom::S3AutoDeleteObjects")) <= set(environment["DependsOn"])


# -- the job


@in_both_profiles
def test_batch_retries_a_child_only_if_the_platform_failed(template: dict[str, Any]) -> None:
    """tests/contracts/retries.py checks which failed attempts these strategies retry."""
    job = properties_of(template, "AWS::Batch::JobDefinition")
    assert job["RetryStrategy"] == {
        "Attempts": ATTEMPTS,
        "EvaluateOnExit": [
            {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
            {"Action": "RETRY", "OnStatusReason": "Task failed to start*"},
            {"Action": "RETRY", "OnReason": "CannotPullContainerError*"},
            {"Action": "RETRY", "OnExitCode": str(STOPPED)},
            {"Action": "EXIT", "OnReason": "*"},  # without this rule, Batch would also retry after other failures
        ],
    }
    assert job["Timeout"] == {"AttemptDurationSeconds": 24 * 3600}


@in_both_profiles
def test_a_child_gets_its_parameters_and_its_size(template: dict[str, Any]) -> None:
    job = properties_of(template, "AWS::Batch::JobDefinition")
    container = job["ContainerProperties"]
    assert container["Command"] == ["--keys", "Ref::keys", "--children", "Ref::children"]
    assert job["Parameters"] == {"keys": "*", "children": "1"}
    environment = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
    size = {one["Type"]: one["Value"] for one in container["ResourceRequirements"]}
    assert environment["VCPUS"] == size["VCPU"] == str(VCPUS)
    assert size["MEMORY"] == str(MEMORY_MIB)
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Tmpfs"][0]["ContainerPath"] == "/tmp"  # noqa: S108


def test_the_image_contains_exactly_the_program_and_the_modules_that_it_imports() -> None:
    (image,) = [one for one in assembly("sandbox").glob("asset.*") if (one / DOCKERFILE).exists()]
    files = {path.relative_to(image).as_posix() for path in image.rglob("*") if path.is_file()}
    program = {path.relative_to(ROOT).as_posix() for path in (ROOT / "containers/batch/batch").glob("*.py")}
    imaging = {f"lambda_src/thumbnail/{name}.py" for name in ("__init__", "imaging", "limits", "memory")}
    imaging |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "lambda_src/thumbnail/pictures").glob("*.py")}
    assert files == {DOCKERFILE, "containers/batch/requirements.txt", *program, *imaging}


def test_the_image_the_function_and_the_tests_have_the_same_decoders() -> None:
    image = locked_versions(ROOT / "containers/batch/requirements.txt")
    function = locked_versions(ROOT / "lambda_src/thumbnail/requirements.txt")
    for name in ("pillow", "pillow-heif"):
        assert image[name] == function[name]
    tests = locked_versions(ROOT / "requirements-dev.txt")
    assert {name: tests[name] for name in image} == image, "`make lock` makes them equal"


def test_an_image_from_a_registry_needs_no_docker() -> None:
    stack = BatchStack(
        cdk.App(),
        "x",
        retain_data=False,
        log_retention=RetentionDays.ONE_WEEK,
        architecture="arm64",
        max_vcpus=4,
        max_edge=256,
        image="public.ecr.aws/docker/library/python:3.14",
    )
    job = properties_of(dict(Template.from_stack(stack).to_json()), "AWS::Batch::JobDefinition")
    assert job["ContainerProperties"]["Image"] == "public.ecr.aws/docker/library/python:3.14"
    assert not [one for one in stack.node.find_all() if isinstance(one, DockerImageAsset)]


# -- failures, schedule and budget


@in_both_profiles
def test_failed_and_blocked_jobs_start_an_alarm(template: dict[str, Any]) -> None:
    patterns = {}
    for rule in resources(template, "AWS::Events::Rule").values():
        pattern = rule["Properties"]["EventPattern"]
        assert pattern["source"] == ["aws.batch"]
        assert pattern["detail"]["jobQueue"] == [get_att(template, "Queue", "JobQueueArn")]
        assert [target["Arn"] for target in rule["Properties"]["Targets"]] == [get_att(template, "FailedJobs")]
        patterns[pattern["detail-type"][0]] = pattern["detail"].get("status")
    assert patterns == {"Batch Job State Change": ["FAILED"], "Batch Job Queue Blocked": None}
    alarm = properties_of(template, "AWS::CloudWatch::Alarm", "FailedJobs")
    assert (alarm["MetricName"], alarm["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 1)
    assert alarm["Dimensions"][0]["Value"] == get_att(template, "FailedJobs", "QueueName")


def test_the_schedule_submits_a_job_over_the_whole_bucket() -> None:
    assert resources(SANDBOX, "AWS::Scheduler::Schedule") == {}, "without batch_schedule, only people submit jobs"
    template = templates_in(assembly_with_settings())["batch"]
    schedule = properties_of(template, "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "cron(0 3 * * ? *)"
    assert schedule["Target"]["DeadLetterConfig"] == {"Arn": get_att(template, "FailedJobs")}
    texts = schedule["Target"]["Input"]["Fn::Join"][1]
    request = json.loads("".join(text if isinstance(text, str) else "x" for text in texts))
    children = 32 // VCPUS
    assert request["ArrayProperties"] == {"Size": children}
    assert request["Parameters"] == {"keys": "*", "children": str(children)}, (
        "with another number, no child would process some of the pictures"
    )
    statements = properties_of(template, "AWS::IAM::Policy", "SchedulerRole")["PolicyDocument"]["Statement"]
    assert {statement["Action"] for statement in statements} == {"batch:SubmitJob", "sqs:SendMessage"}


def test_an_alarm_address_alone_creates_no_budget() -> None:
    assert resources(template_with("batch", alarm_email="me@example.com"), "AWS::Budgets::Budget") == {}, (
        "some accounts cannot create budgets"
    )


def test_the_budget_sends_mail_to_the_alarm_address() -> None:
    budget = properties_of(templates_in(assembly_with_settings())["batch"], "AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 5, "Unit": "USD"}
    mail = [{"Address": "me@example.com", "SubscriptionType": "EMAIL"}]
    assert {
        (one["Notification"]["NotificationType"], one["Notification"]["Threshold"]): one["Subscribers"]
        for one in budget["NotificationsWithSubscribers"]
    } == {("FORECASTED", 80): mail, ("ACTUAL", 100): mail}
