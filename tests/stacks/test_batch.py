"""The intentions behind the batch stack, with their reasons. The snapshot holds the whole template."""

import json
import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template
from aws_cdk.aws_ecr_assets import DockerImageAsset
from aws_cdk.aws_logs import RetentionDays

from batch.command import STOPPED
from config import CONTEXT_SETTINGS
from stacks._pictures import MAX_BYTES, MAX_DECODING_BYTES
from stacks.batch import BatchStack
from stacks.batch_job import ATTEMPTS, DOCKERFILE, MEMORY_MIB, VCPUS
from tests.support.apps import assembly, get_att, properties_of, synthesize_example, templates
from tests.support.bundles import locked_versions
from tests.support.folders import ROOT
from tools.templates import resources, templates_in

SANDBOX = templates("sandbox")["batch"]
PRODUCTION = templates("production")["batch"]
in_both_profiles = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly of the example with every setting changed."""
    folder = tmp_path_factory.mktemp("configured")
    settings = {
        "architecture": "x86_64",
        "alarm_email": "me@example.com",
        "batch_max_vcpus": "32",
        "batch_monthly_budget": "5",
        "batch_schedule": "cron(0 3 * * ? *)",
    }
    synthesize_example("batch", folder, **settings)
    return folder


# -- capacity


@in_both_profiles
def test_queue_uses_spot_first_and_then_on_demand(template: dict[str, Any]) -> None:
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
        assert compute["MinvCpus"] == 0, "otherwise an instance waits for jobs, and costs money"
        assert compute["MaxvCpus"] == 16


@in_both_profiles
def test_environments_can_be_updated_in_place(template: dict[str, Any]) -> None:
    """See https://docs.aws.amazon.com/batch/latest/userguide/updating-compute-environments.html."""
    for environment in resources(template, "AWS::Batch::ComputeEnvironment").values():
        properties = environment["Properties"]
        assert properties["ReplaceComputeEnvironment"] is False
        assert "ServiceRole" not in properties, "Batch needs its own service-linked role"
        assert properties["ComputeResources"]["UpdateToLatestImageVersion"] is True
        version = properties["ComputeResources"]["LaunchTemplate"]["Version"]
        assert version["Fn::GetAtt"][1] == "LatestVersionNumber", "otherwise a changed template changes nothing"


@in_both_profiles
def test_instances_require_imdsv2_and_encrypt_their_disk(template: dict[str, Any]) -> None:
    machine = properties_of(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    (disk,) = machine["BlockDeviceMappings"]
    assert (disk["Ebs"]["Encrypted"], disk["Ebs"]["VolumeType"]) == (True, "gp3")


@in_both_profiles
def test_instances_may_send_https_only(template: dict[str, Any]) -> None:
    group = properties_of(template, "AWS::EC2::SecurityGroup", "InstancesGroup")
    assert [(rule["IpProtocol"], rule["FromPort"]) for rule in group["SecurityGroupEgress"]] == [("tcp", 443)]


@pytest.mark.parametrize(("template", "kind"), [(SANDBOX, "Public"), (PRODUCTION, "Private")], ids=["sandbox", "prod"])
def test_only_production_has_its_instances_in_private_subnets(template: dict[str, Any], kind: str) -> None:
    subnets = properties_of(template, "AWS::Batch::ComputeEnvironment", "Spot")["ComputeResources"]["Subnets"]
    assert len(subnets) == 2
    assert all(subnet["Ref"].startswith(f"Vpc{kind}Subnet") for subnet in subnets)


def test_instances_and_image_have_the_configured_architecture(configured: Path) -> None:
    """Batch chooses the instance families: it rejects a family that the region lacks."""
    for folder, architecture, platform in (
        (assembly("sandbox"), "arm64", "linux/arm64"),
        (configured, "x86_64", "linux/amd64"),
    ):
        for environment in resources(templates_in(folder)["batch"], "AWS::Batch::ComputeEnvironment").values():
            assert environment["Properties"]["ComputeResources"]["InstanceTypes"] == [f"default_{architecture}"]
        assets = json.loads((folder / "compute-batch.assets.json").read_text())["dockerImages"]
        assert [one["source"]["platform"] for one in assets.values()] == [platform]


def test_child_fits_into_the_smallest_instance() -> None:
    # Of 4 GiB, a c6g.large registers about 3.7. The kernel, the agent and Batch's 32 MiB take the rest.
    assert MEMORY_MIB <= 3_700
    decoders = VCPUS * (MAX_DECODING_BYTES + MAX_BYTES) / 1024**2
    assert MEMORY_MIB - decoders >= 800


@in_both_profiles
def test_job_that_can_never_run_does_not_block_the_queue_for_ever(template: dict[str, Any]) -> None:
    actions = properties_of(template, "AWS::Batch::JobQueue")["JobStateTimeLimitActions"]
    assert {one["Reason"]: one["MaxTimeSeconds"] for one in actions} == {
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT": 600,
        "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE": 600,
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY": 86_400,
    }


def test_buckets_are_emptied_after_the_last_job_has_ended() -> None:
    for environment in resources(SANDBOX, "AWS::Batch::ComputeEnvironment").values():
        assert set(resources(SANDBOX, "Custom::S3AutoDeleteObjects")) <= set(environment["DependsOn"])


# -- the job


@in_both_profiles
def test_only_a_lost_host_is_retried(template: dict[str, Any]) -> None:
    job = properties_of(template, "AWS::Batch::JobDefinition")
    assert job["RetryStrategy"] == {
        "Attempts": ATTEMPTS,
        "EvaluateOnExit": [
            {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
            {"Action": "RETRY", "OnExitCode": str(STOPPED)},
            {"Action": "EXIT", "OnReason": "*"},  # Batch retries everything that no rule matches
        ],
    }
    assert job["Timeout"] == {"AttemptDurationSeconds": 24 * 3600}


@in_both_profiles
def test_child_gets_its_parameters_and_its_size(template: dict[str, Any]) -> None:
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


def test_image_holds_the_program_and_the_functions_imaging_only() -> None:
    (image,) = [one for one in assembly("sandbox").glob("asset.*") if (one / DOCKERFILE).exists()]
    files = {path.relative_to(image).as_posix() for path in image.rglob("*") if path.is_file()}
    program = {path.relative_to(ROOT).as_posix() for path in (ROOT / "containers/batch/batch").glob("*.py")}
    imaging = {
        f"lambda_src/thumbnail/{name}.py" for name in ("__init__", "colours", "headers", "imaging", "limits", "memory")
    }
    assert files == {DOCKERFILE, "containers/batch/requirements.txt", *program, *imaging}


def test_image_function_and_tests_have_the_same_pillow() -> None:
    image = locked_versions(ROOT / "containers/batch/requirements.txt")
    assert image["pillow"] == locked_versions(ROOT / "lambda_src/thumbnail/requirements.txt")["pillow"]
    tests = locked_versions(ROOT / "requirements-dev.txt")
    assert {name: tests[name] for name in image} == image, "`make lock` makes them equal"


def test_image_from_a_registry_needs_no_docker() -> None:
    stack = BatchStack(
        cdk.App(),
        "x",
        retain_data=False,
        log_retention=RetentionDays.ONE_WEEK,
        architecture="arm64",
        max_vcpus=4,
        max_edge=256,
        monthly_budget=1,
        image="public.ecr.aws/docker/library/python:3.14",
    )
    job = properties_of(dict(Template.from_stack(stack).to_json()), "AWS::Batch::JobDefinition")
    assert job["ContainerProperties"]["Image"] == "public.ecr.aws/docker/library/python:3.14"
    assert not [one for one in stack.node.find_all() if isinstance(one, DockerImageAsset)]


# -- failures, schedule and budget


@in_both_profiles
def test_failed_and_stuck_jobs_start_an_alarm(template: dict[str, Any]) -> None:
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


def test_schedule_submits_a_job_over_the_whole_bucket(configured: Path) -> None:
    assert resources(SANDBOX, "AWS::Scheduler::Schedule") == {}, "without batch_schedule, only a person submits jobs"
    template = templates_in(configured)["batch"]
    schedule = properties_of(template, "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "cron(0 3 * * ? *)"
    assert schedule["Target"]["DeadLetterConfig"] == {"Arn": get_att(template, "FailedJobs")}
    parts = schedule["Target"]["Input"]["Fn::Join"][1]
    request = json.loads("".join(part if isinstance(part, str) else "x" for part in parts))
    children = 32 // VCPUS
    assert request["ArrayProperties"] == {"Size": children}
    assert request["Parameters"] == {"keys": "*", "children": str(children)}, "otherwise no child does some pictures"
    statements = properties_of(template, "AWS::IAM::Policy", "SchedulerRole")["PolicyDocument"]["Statement"]
    assert {statement["Action"] for statement in statements} == {"batch:SubmitJob", "sqs:SendMessage"}


def test_budget_mails_to_the_alarm_address(configured: Path) -> None:
    assert resources(SANDBOX, "AWS::Budgets::Budget") == {}, "without an address, nobody would get the mail"
    budget = properties_of(templates_in(configured)["batch"], "AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 5, "Unit": "USD"}
    mail = [{"Address": "me@example.com", "SubscriptionType": "EMAIL"}]
    assert {
        (one["Notification"]["NotificationType"], one["Notification"]["Threshold"]): one["Subscribers"]
        for one in budget["NotificationsWithSubscribers"]
    } == {("FORECASTED", 80): mail, ("ACTUAL", 100): mail}


def test_lesson_lists_every_setting_and_every_alarm() -> None:
    lesson = (ROOT / "docs/batch.md").read_text()
    settings = {name for name in CONTEXT_SETTINGS if name.startswith("batch_")}
    assert {*re.findall(r"^\| `(batch_\w+)` \|", lesson, re.MULTILINE)} == settings
    alarms = {re.sub(r"Alarm[0-9A-F]{8}$", "", name) for name in resources(SANDBOX, "AWS::CloudWatch::Alarm")}
    watch = lesson.split("## Watch it")[1].split("\n## ")[0]
    assert {*re.findall(r"^\| ([A-Z]\w+) \|", watch, re.MULTILINE)} == alarms
