"""What the batch stack means to be; the snapshot beside it says what it is to the letter."""

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
from batch.decoders import DECODING_SECONDS
from batch.job import STOP_SECONDS
from config import OVERRIDES, ConfigError, from_context
from stacks import batch
from stacks._pictures import MAX_BYTES, MAX_DECODING_BYTES
from stacks.batch_job import ATTEMPTS, DOCKERFILE, MAX_DURATION, MEMORY_MIB, VCPUS
from tests.support.apps import assembly, get_att, properties_of, synthesize_example, templates
from tests.support.bundles import locked_versions
from tests.support.folders import ROOT
from tools.templates import resources, templates_in

SANDBOX = templates("sandbox")["batch"]
PRODUCTION = templates("production")["batch"]
both = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The assembly of the example with every setting that it has."""
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


def allowed(template: dict[str, Any], role: str) -> dict[str, Any]:
    """What a role's policy allows: by action, where."""
    statements = properties_of(template, "AWS::IAM::Policy", role)["PolicyDocument"]["Statement"]
    return {
        action: one["Resource"]
        for one in statements
        for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    }


@both
def test_the_ids_of_stores_never_change(template: dict[str, Any]) -> None:
    """Another id is another resource: CloudFormation would delete this one, or leave it behind with its data."""
    assert set(resources(template, "AWS::S3::Bucket")) == {"Input49F21B70", "OutputAB65CDDE"}
    assert set(resources(template, "AWS::SQS::Queue")) == {"FailedJobs5900FD3C"}


@both
def test_the_outputs_are_what_submit_and_the_lesson_use(template: dict[str, Any]) -> None:
    assert set(template["Outputs"]) == {"JobQueueArn", "JobDefinitionArn", "InputBucketName", "OutputBucketName"}


# -- where jobs run


@both
def test_spot_comes_first_and_on_demand_behind_it(template: dict[str, Any]) -> None:
    order = properties_of(template, "AWS::Batch::JobQueue")["ComputeEnvironmentOrder"]
    assert [(one["Order"], one["ComputeEnvironment"]) for one in order] == [
        (1, get_att(template, "Spot", "ComputeEnvironmentArn")),
        (2, get_att(template, "OnDemand", "ComputeEnvironmentArn")),
    ]
    spot = properties_of(template, "AWS::Batch::ComputeEnvironment", "Spot")["ComputeResources"]
    on_demand = properties_of(template, "AWS::Batch::ComputeEnvironment", "OnDemand")["ComputeResources"]
    assert (spot["Type"], spot["AllocationStrategy"]) == ("SPOT", "SPOT_PRICE_CAPACITY_OPTIMIZED")
    assert (on_demand["Type"], on_demand["AllocationStrategy"]) == ("EC2", "BEST_FIT_PROGRESSIVE")
    for resources_ in (spot, on_demand):
        assert resources_["MinvCpus"] == 0, "or an instance waits, and is paid, for jobs"
        assert resources_["MaxvCpus"] == 16
        assert resources_["Ec2Configuration"] == [{"ImageType": "ECS_AL2023"}]


@both
def test_environments_can_be_updated_in_place(template: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/batch/latest/userguide/updating-compute-environments.html."""
    for environment in resources(template, "AWS::Batch::ComputeEnvironment").values():
        properties = environment["Properties"]
        assert properties["ReplaceComputeEnvironment"] is False
        assert "ServiceRole" not in properties, "Batch's own service-linked role is asked for"
        assert "ComputeEnvironmentName" not in properties, "a name is in the way of a replacement"
        assert properties["ComputeResources"]["UpdateToLatestImageVersion"] is True
        version = properties["ComputeResources"]["LaunchTemplate"]["Version"]
        assert version["Fn::GetAtt"][1] == "LatestVersionNumber", "or a changed template changes nothing"


@both
def test_instances_are_of_today_encrypted_and_closed(template: dict[str, Any]) -> None:
    machine = properties_of(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    (disk,) = machine["BlockDeviceMappings"]
    assert (disk["Ebs"]["Encrypted"], disk["Ebs"]["VolumeType"]) == (True, "gp3")
    group = properties_of(template, "AWS::EC2::SecurityGroup", "InstancesGroup")
    assert "SecurityGroupIngress" not in group
    assert resources(template, "AWS::EC2::SecurityGroupIngress") == {}
    assert [(rule["IpProtocol"], rule["FromPort"]) for rule in group["SecurityGroupEgress"]] == [("tcp", 443)]


def test_production_has_its_instances_in_private_subnets() -> None:
    for template, kind in ((SANDBOX, "Public"), (PRODUCTION, "Private")):
        subnets = properties_of(template, "AWS::Batch::ComputeEnvironment", "Spot")["ComputeResources"]["Subnets"]
        assert len(subnets) == 2
        assert all(subnet["Ref"].startswith(f"Vpc{kind}Subnet") for subnet in subnets)


def test_families_and_image_are_of_one_architecture(configured: Path) -> None:
    """And the families are Batch's choice: it refuses an environment for a single one that its region has not."""
    for folder, architecture, platform in (
        (assembly("sandbox"), "arm64", "linux/arm64"),
        (configured, "x86_64", "linux/amd64"),
    ):
        for environment in resources(templates_in(folder)["batch"], "AWS::Batch::ComputeEnvironment").values():
            assert environment["Properties"]["ComputeResources"]["InstanceTypes"] == [f"default_{architecture}"]
        assets = json.loads((folder / "compute-batch.assets.json").read_text())["dockerImages"]
        assert [one["source"]["platform"] for one in assets.values()] == [platform]


def test_a_child_fits_into_the_smallest_instance() -> None:
    # 4 GiB, less what the kernel, the agent and Batch's 32 MiB take: c6g.large registers some 3.7 GiB.
    assert MEMORY_MIB <= 3_700
    decoders = VCPUS * (MAX_DECODING_BYTES + MAX_BYTES) / 1024**2
    assert MEMORY_MIB - decoders >= 800


# -- what runs


@both
def test_only_a_lost_host_is_retried(template: dict[str, Any]) -> None:
    job = properties_of(template, "AWS::Batch::JobDefinition")
    assert job["RetryStrategy"] == {
        "Attempts": ATTEMPTS,
        "EvaluateOnExit": [
            {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
            {"Action": "RETRY", "OnExitCode": str(STOPPED)},
            {"Action": "EXIT", "OnReason": "*"},  # Batch retries what nothing matches
        ],
    }
    assert job["Timeout"] == {"AttemptDurationSeconds": 24 * 3600}


@both
def test_the_child_is_told_what_it_needs(template: dict[str, Any]) -> None:
    job = properties_of(template, "AWS::Batch::JobDefinition")
    container = job["ContainerProperties"]
    assert container["Command"] == ["--keys", "Ref::keys", "--children", "Ref::children"]
    assert job["Parameters"] == {"keys": "*", "children": "1"}
    environment = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
    given = {one["Type"]: one["Value"] for one in container["ResourceRequirements"]}
    assert environment["VCPUS"] == given["VCPU"] == str(VCPUS)
    assert given["MEMORY"] == str(MEMORY_MIB)
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Tmpfs"][0]["ContainerPath"] == "/tmp"  # noqa: S108
    assert container["LogConfiguration"]["Options"]["awslogs-group"]["Ref"].startswith("Logs")
    assert "JobDefinitionName" not in job


@both
def test_the_job_may_do_what_it_does_and_no_more(template: dict[str, Any]) -> None:
    def under(bucket: str, keys: str) -> dict[str, Any]:
        return {"Fn::Join": ["", [get_att(template, bucket), keys]]}

    assert allowed(template, "JobRole") == {
        "s3:GetObject": under("Input", "/*"),
        "s3:ListBucket": [get_att(template, "Input"), get_att(template, "Output")],
        "s3:PutObject": [under("Output", "/manifests/*"), under("Output", "/thumbnails/*")],
    }


def test_the_image_holds_the_functions_own_imaging_and_nothing_else() -> None:
    (image,) = [one for one in assembly("sandbox").glob("asset.*") if (one / DOCKERFILE).exists()]
    held = {path.relative_to(image).as_posix() for path in image.rglob("*") if path.is_file()}
    program = {path.relative_to(ROOT).as_posix() for path in (ROOT / "containers/batch/batch").glob("*.py")}
    imaging = {
        f"lambda_src/thumbnail/{name}.py" for name in ("__init__", "colours", "headers", "imaging", "limits", "memory")
    }
    assert held == {DOCKERFILE, "containers/batch/requirements.txt", *program, *imaging}


def test_the_image_and_the_function_have_the_same_pillow() -> None:
    image = locked_versions(ROOT / "containers/batch/requirements.txt")
    assert image["pillow"] == locked_versions(ROOT / "lambda_src/thumbnail/requirements.txt")["pillow"]
    tests = locked_versions(ROOT / "requirements-dev.txt")
    assert {name: tests[name] for name in image} == image, "make lock brings them together"


# -- what becomes of them


@both
def test_failed_and_stuck_jobs_set_off_an_alarm(template: dict[str, Any]) -> None:
    patterns = {}
    for rule in resources(template, "AWS::Events::Rule").values():
        pattern = rule["Properties"]["EventPattern"]
        assert pattern["source"] == ["aws.batch"]
        assert pattern["detail"]["jobQueue"] == [get_att(template, "Queue", "JobQueueArn")]
        assert [target["Arn"] for target in rule["Properties"]["Targets"]] == [get_att(template, "FailedJobs")]
        patterns[pattern["detail-type"][0]] = pattern["detail"].get("status")
    assert patterns == {"Batch Job State Change": ["FAILED"], "Batch Job Queue Blocked": None}
    alarm = properties_of(template, "AWS::CloudWatch::Alarm", "FailedJobs")
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert alarm["Dimensions"][0]["Value"] == get_att(template, "FailedJobs", "QueueName")
    assert alarm["Threshold"] == 1


@both
def test_a_job_that_can_never_run_does_not_block_the_queue_for_ever(template: dict[str, Any]) -> None:
    actions = properties_of(template, "AWS::Batch::JobQueue")["JobStateTimeLimitActions"]
    assert {one["Reason"]: one["MaxTimeSeconds"] for one in actions} == {
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT": 600,
        "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE": 600,
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY": 86_400,
    }


def test_no_job_writes_into_a_bucket_that_has_been_emptied() -> None:
    for environment in resources(SANDBOX, "AWS::Batch::ComputeEnvironment").values():
        assert set(resources(SANDBOX, "Custom::S3AutoDeleteObjects")) <= set(environment["DependsOn"])


def test_it_runs_by_itself_only_when_it_is_told_when(configured: Path) -> None:
    assert resources(SANDBOX, "AWS::Scheduler::Schedule") == {}
    template = templates_in(configured)["batch"]
    schedule = properties_of(template, "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "cron(0 3 * * ? *)"
    assert schedule["Target"]["DeadLetterConfig"] == {"Arn": get_att(template, "FailedJobs")}
    parts = schedule["Target"]["Input"]["Fn::Join"][1]
    asked = json.loads("".join(part if isinstance(part, str) else "x" for part in parts))
    assert asked["ArrayProperties"] == {"Size": 32 // VCPUS}
    assert asked["Parameters"] == {"keys": "*", "children": str(32 // VCPUS)}, "or a share would be nobody's"
    assert set(allowed(template, "SchedulerRole")) == {"batch:SubmitJob", "sqs:SendMessage"}


def test_a_budget_guards_who_gave_an_address(configured: Path) -> None:
    assert resources(SANDBOX, "AWS::Budgets::Budget") == {}
    budget = properties_of(templates_in(configured)["batch"], "AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 5, "Unit": "USD"}
    told = {
        (one["Notification"]["NotificationType"], one["Notification"]["Threshold"]): one["Subscribers"]
        for one in budget["NotificationsWithSubscribers"]
    }
    mail = [{"Address": "me@example.com", "SubscriptionType": "EMAIL"}]
    assert told == {("FORECASTED", 80): mail, ("ACTUAL", 100): mail}


def test_an_image_of_a_registry_needs_no_docker() -> None:
    stack = batch.BatchStack(
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


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("batch_max_vcpus", "2", "batch_max_vcpus: 2 is not between 4 and 10000"),
        ("batch_schedule", "every night", "batch_schedule: 'every night' is neither like rate(1 hour)"),
        ("batch_schedule", "cron(0 3 * * * *)", "batch_schedule: 'cron(0 3 * * * *)' needs a ?"),
        ("batch_monthly_budget", "0", "batch_monthly_budget: 0 is not above 0"),
        ("batch_image", "an image", "batch_image: 'an image' is not like registry/repository:tag"),
    ],
)
def test_a_bad_setting_is_refused(setting: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        from_context({setting: value})


# -- the lesson

LESSON = (ROOT / "docs/batch.md").read_text()


def test_the_lessons_figures_are_the_stacks() -> None:
    text = " ".join(LESSON.split())
    for said in (
        f"{VCPUS} vCPUs and {MEMORY_MIB:,} MiB",
        f"Up to {ATTEMPTS} attempts",
        f"within {STOP_SECONDS} seconds",
        f"for more than {DECODING_SECONDS} seconds",
        f"exits with {STOPPED}",
        f"a limit of {MAX_DURATION.to_hours():.0f} hours",
    ):
        assert said in text, said
    assert {*re.findall(r"^\| `(batch_\w+)` \|", LESSON, re.MULTILINE)} == {
        name for name in OVERRIDES if name.startswith("batch_")
    }
    told = re.findall(r"^\| ([A-Z]\w+) \|", LESSON.split("## Watch it")[1].split("## What it costs")[0], re.MULTILINE)
    assert {re.sub(r"Alarm[0-9A-F]{8}$", "", name) for name in resources(SANDBOX, "AWS::CloudWatch::Alarm")} == {*told}
