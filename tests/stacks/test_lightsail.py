"""The guarantees of the Lightsail stack, its launch script and its lesson. The snapshot has all its details."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel, StructureShape
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from config import CONTEXT_SETTINGS
from local.lightsail_launch import FakeServer, fake_server
from settings_checks import LIGHTSAIL_SIZES
from stacks import lightsail_watch
from tests.support.apps import properties_of, template_with, templates
from tests.support.documents import section
from tests.support.folders import ROOT
from tools.templates import Template, resources

SANDBOX = templates("sandbox")["lightsail"]
PRODUCTION = templates("production")["lightsail"]
in_both_profiles = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])
LESSON = (ROOT / "docs" / "lightsail.md").read_text()
EVERYTHING = {"lightsail_disk": "true", "lightsail_database": "postgres_16", "lightsail_bucket": "true"}


def lightsail_properties(template: Template, kind: str) -> dict[str, Any]:
    return properties_of(template, f"AWS::Lightsail::{kind}")


# -- the server and its address


@in_both_profiles
def test_the_outputs_use_the_static_address(template: Template) -> None:
    """The server's own PublicIpAddress is the one that it had before the static address was attached."""
    static = {"Fn::GetAtt": ["Address", "IpAddress"]}
    assert template["Outputs"]["StaticIp"]["Value"] == static
    assert template["Outputs"]["Url"]["Value"] == {"Fn::Join": ["", ["http://", static, "/"]]}
    assert template["Outputs"]["InstanceName"]["Value"] == {"Ref": "Server"}
    # Without this reference, CloudFormation would create the address before the server exists.
    assert lightsail_properties(template, "StaticIp")["AttachedTo"] == {"Ref": "Server"}
    assert "PublicIpAddress" not in json.dumps(template)


@in_both_profiles
def test_http_and_https_are_open_and_ssh_is_closed(template: Template) -> None:
    """Without a list, Lightsail's default opens port 22 to everybody."""
    everybody = {"Protocol": "tcp", "Cidrs": ["0.0.0.0/0"], "Ipv6Cidrs": ["::/0"]}
    assert lightsail_properties(template, "Instance")["Networking"]["Ports"] == [
        {"FromPort": port, "ToPort": port, **everybody} for port in (80, 443)
    ]


@pytest.mark.parametrize(
    ("cidr", "expected"),
    [("192.0.2.44/32", {"Cidrs": ["192.0.2.44/32"]}), ("2001:db8::/48", {"Ipv6Cidrs": ["2001:db8::/48"]})],
)
def test_ssh_is_only_open_to_the_configured_network(cidr: str, expected: Mapping[str, Any]) -> None:
    ports = lightsail_properties(template_with("lightsail", lightsail_ssh_cidr=cidr), "Instance")["Networking"]["Ports"]
    assert ports[-1] == {"FromPort": 22, "ToPort": 22, "Protocol": "tcp", **expected}
    assert [port["FromPort"] for port in ports] == [80, 443, 22]


@in_both_profiles
def test_a_daily_snapshot_precedes_the_restart_after_updates(template: Template) -> None:
    (add_on,) = lightsail_properties(template, "Instance")["AddOns"]
    assert add_on == {"AddOnType": "AutoSnapshot", "AutoSnapshotAddOnRequest": {"SnapshotTimeOfDay": "03:00"}}
    assert 'Automatic-Reboot-Time "04:00"' in lightsail_properties(template, "Instance")["UserData"]


def test_production_retains_every_store_and_their_ids_never_change() -> None:
    """Another id is another resource, and the old one still has its name."""
    template = template_with("lightsail", profile="production", **EVERYTHING)
    # Plain Retain would also keep them, and their names, after a first deployment that was rolled back.
    retained = {
        name
        for name, resource in template["Resources"].items()
        if resource.get("DeletionPolicy") == "RetainExceptOnCreate"
    }
    assert retained == {"Server", "Address", "Disk", "Database", "Bucket"}
    assert all(template["Resources"][name]["UpdateReplacePolicy"] == "Retain" for name in retained)


# -- replacement


def create_only(kind: str) -> set[str]:
    """Return the properties of a type that CloudFormation can only change by a replacement, as AWS publishes them."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", f"AWS::Lightsail::{kind}").schema
    return {path.removeprefix("/properties/") for path in schema["createOnlyProperties"]}


CREATE_ONLY_VALUES = {
    "Instance": {"InstanceName": "compute-lightsail-server", "BlueprintId": "ubuntu_24_04", "BundleId": "nano_3_0"},
    "StaticIp": {"StaticIpName": "compute-lightsail-address"},
    "Disk": {"DiskName": "compute-lightsail-disk", "SizeInGb": 8},
    "Database": {
        "RelationalDatabaseName": "compute-lightsail-database",
        "RelationalDatabaseBlueprintId": "postgres_16",
        "RelationalDatabaseBundleId": "micro_2_0",
        "MasterDatabaseName": "app",
        "MasterUsername": "app",
    },
}


@pytest.mark.parametrize("kind", CREATE_ONLY_VALUES)
def test_no_value_changes_that_would_replace_a_store(kind: str) -> None:
    properties = lightsail_properties(template_with("lightsail", **EVERYTHING), kind)
    assert {name: properties[name] for name in create_only(kind) & set(properties)} == CREATE_ONLY_VALUES[kind], (
        "this change replaces the resource and its data. CloudFormation refuses it for an existing deployment, "
        "or creates an empty resource under another name. Read docs/lightsail.md, 'What is deployed', first"
    )


def test_the_lesson_lists_every_property_that_needs_a_replacement() -> None:
    listed = re.findall(r"^\| `(\w+)\.(\w+)` \| (refused|replaced) \|", LESSON, re.MULTILINE)
    assert {*listed} == {
        # CloudFormation cannot create a replacement with the same name, but with another name it can.
        (kind, name, "replaced" if name in {"InstanceName", "StaticIpName", "DiskName"} else "refused")
        for kind in ("Instance", "StaticIp", "Disk")
        for name in create_only(kind)
    }


def test_names_are_unique_across_deployments_and_types() -> None:
    names = set()
    for prefix in ("compute", "mine"):
        template = template_with("lightsail", prefix=prefix, **EVERYTHING)
        for resource in template["Resources"].values():
            names |= {
                json.dumps(value)
                for key, value in resource["Properties"].items()
                if key in {"InstanceName", "StaticIpName", "DiskName", "RelationalDatabaseName", "AlarmName"}
                and isinstance(value, str)
            }
        assert lightsail_properties(template, "Bucket")["BucketName"]["Fn::Join"][1][0] == f"{prefix}-lightsail-bucket-"
    assert len(names) == 2 * 7


# -- the alarms

ALARM = "AWS::Lightsail::Alarm"


def alarms_of(template: Template) -> dict[str, Any]:
    """Return the properties of the alarms by the name of their metric."""
    return {alarm["Properties"]["MetricName"]: alarm["Properties"] for alarm in resources(template, ALARM).values()}


def test_the_conditions_of_the_alarms() -> None:
    alarms = alarms_of(SANDBOX)
    assert {
        name: (alarm["ComparisonOperator"], alarm["Threshold"], alarm["EvaluationPeriods"], alarm["TreatMissingData"])
        for name, alarm in alarms.items()
    } == {
        "StatusCheckFailed": ("GreaterThanOrEqualToThreshold", 1, 2, "breaching"),  # a stopped server is down
        "BurstCapacityPercentage": ("LessThanThreshold", 20, 3, "notBreaching"),
        # 1,024 GB in three days: 34 Mbit/s for an hour
        "NetworkOut": ("GreaterThanThreshold", 1024**4 // 864, 12, "notBreaching"),
    }
    for alarm in alarms.values():
        assert alarm["MonitoredResourceName"] == {"Ref": "Server"}
        assert "ContactProtocols" not in alarm, "no address is configured"


def test_the_alarms_mail_if_an_address_is_configured() -> None:
    template = template_with("lightsail", alarm_email="me@example.com", lightsail_bundle="small_3_2")
    assert lightsail_properties(template, "Instance")["BundleId"] == "small_3_2", "Sydney has this name for small"
    alarms = alarms_of(template)
    assert [alarm["ContactProtocols"] for alarm in alarms.values()] == [["Email"]] * 3
    assert [alarm["NotificationTriggers"] for alarm in alarms.values()] == [["ALARM", "OK"]] * 3
    assert alarms["NetworkOut"]["Threshold"] == 3 * 1024**4 // 864, "small has 3,072 GB a month"


# -- options


def test_wordpress_needs_one_setting() -> None:
    server = lightsail_properties(template_with("lightsail", lightsail_blueprint="wordpress"), "Instance")
    assert (server["BlueprintId"], server["BundleId"]) == ("wordpress", "micro_3_0")
    assert "UserData" not in server, "the launch script would install nginx on the port of Apache"


def test_a_disk_is_attached_to_the_server() -> None:
    template = template_with("lightsail", **EVERYTHING)
    hardware = lightsail_properties(template, "Instance")["Hardware"]
    assert hardware["Disks"] == [{"DiskName": {"Ref": "Disk"}, "Path": "/dev/xvdf"}]
    assert lightsail_properties(template, "Disk")["AddOns"][0]["AddOnType"] == "AutoSnapshot"
    # Both get the first zone of Lightsail's list. If one had a zone in the template, the other might be elsewhere.
    assert "AvailabilityZone" not in lightsail_properties(template, "Disk")
    assert "AvailabilityZone" not in lightsail_properties(template, "Instance")


def test_a_database_is_private_and_its_password_is_not_in_the_template() -> None:
    template = template_with("lightsail", **EVERYTHING)
    database = lightsail_properties(template, "Database")
    assert database["PubliclyAccessible"] is False
    assert database["BackupRetention"] is True
    assert "assword" not in json.dumps(template)
    assert template["Outputs"]["DatabaseName"]["Value"] == {"Ref": "Database"}


def test_only_the_server_has_access_to_a_bucket() -> None:
    template = template_with("lightsail", **EVERYTHING)
    bucket = lightsail_properties(template, "Bucket")
    assert bucket["AccessRules"] == {"GetObject": "private", "AllowPublicOverrides": False}
    assert bucket["ResourcesReceivingAccess"] == [{"Ref": "Server"}]
    assert template["Outputs"]["BucketName"]["Value"] == {"Ref": "Bucket"}


@in_both_profiles
def test_optional_resources_are_off_by_default(template: Template) -> None:
    kinds = {resource["Type"] for resource in template["Resources"].values()} - {"AWS::CDK::Metadata"}
    assert kinds == {"AWS::Lightsail::Instance", "AWS::Lightsail::StaticIp", ALARM}


def test_every_size_in_the_settings_has_its_transfer() -> None:
    assert set(LIGHTSAIL_SIZES) == set(lightsail_watch.TRANSFER_GB)


# -- the launch script

SCRIPT = str(lightsail_properties(SANDBOX, "Instance")["UserData"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    with fake_server(tmp_path) as server:
        yield server


def test_shellcheck_finds_nothing_in_the_launch_script(tmp_path: Path) -> None:
    """Lightsail appends the text to its own script, which sh runs. A #!/bin/bash in it would be a comment."""
    script = tmp_path / "launch.sh"
    script.write_text(SCRIPT)
    shellcheck = Path(sys.executable).with_name("shellcheck")
    run = subprocess.run(
        [shellcheck, "--shell=sh", "--enable=all", "--exclude=SC2250,SC2310,SC2312", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert len(SCRIPT.encode()) < 16 * 1024, "the limit of user data"


def test_the_launch_script_writes_a_page_about_the_server(server: FakeServer) -> None:
    run = server.run(SCRIPT)
    assert run.returncode == 0, run.stderr
    page = server.page.read_text()
    facts = dict(re.findall(r"<dt>(.*)</dt><dd>(.*)</dd>", page))
    assert facts.pop("Host")
    assert facts == {
        "Region": "us-east-1",
        "Availability zone": "us-east-1a",
        "Blueprint": "ubuntu_24_04",
        "Bundle": "nano_3_0",
        "Machine underneath": "t3.nano",
    }
    assert re.findall(r"(?:src|href)=\"(?!data:)|url\(|@import|http", page) == [], "the page loads no other resource"
    assert server.commands() == [
        "apt-get update --error-on=any",
        "apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=600 curl nginx unattended-upgrades",
        "systemctl enable --now nginx",
    ]
    assert 'APT::Periodic::Unattended-Upgrade "1";' in server.updates.read_text()


def test_the_launch_script_can_run_twice(server: FakeServer) -> None:
    assert server.run(SCRIPT).returncode == 0
    first = (server.page.read_bytes(), server.updates.read_bytes())
    assert server.run(SCRIPT).returncode == 0
    assert (server.page.read_bytes(), server.updates.read_bytes()) == first
    assert [path.name for path in server.page.parent.iterdir()] == ["index.html"]


def test_the_launch_script_waits_for_the_updates_of_the_first_start(server: FakeServer) -> None:
    server.replace_command("sleep", '#!/bin/sh\necho "sleep $*" >> "$COMMANDS"\n')
    server.replace_command(
        "apt-get",
        '#!/bin/sh\necho "apt-get $1" >> "$COMMANDS"\n'
        '[ "$1" != update ] || [ "$(grep -c update "$COMMANDS")" -gt 2 ]\n',  # fails twice
    )
    assert server.run(SCRIPT).returncode == 0
    assert server.commands()[:5] == ["apt-get update", "sleep 10"] * 2 + ["apt-get update"]


@pytest.mark.parametrize(
    ("broken", "script"),
    [("apt-get", "#!/bin/sh\nexit 100\n"), ("systemctl", "#!/bin/sh\nexit 1\n"), ("curl", "#!/bin/sh\nexit 22\n")],
)
def test_a_failed_command_fails_the_launch_script(server: FakeServer, broken: str, script: str) -> None:
    server.replace_command("sleep", "#!/bin/sh\n")
    server.replace_command(broken, script)
    run = server.run(SCRIPT)
    assert run.returncode != 0
    assert "the page is served" not in run.stdout


# -- the lesson


def test_the_lesson_has_every_setting_and_alarm() -> None:
    told = re.findall(r"^\| `(lightsail_\w+)`", LESSON, re.MULTILINE)
    assert {*told} == {name for name in CONTEXT_SETTINGS if name.startswith("lightsail_")}
    alarms = {one["Properties"]["MetricName"] for one in resources(SANDBOX, ALARM).values()}
    assert {*re.findall(r"^\| ([A-Z]\w+) \|", section(LESSON, "Watch it"), re.MULTILINE)} == alarms


def test_the_lessons_commands_are_valid() -> None:
    """The commands need an account. Their names and options are compared with botocore's model of Lightsail."""
    model = ServiceModel(Loader().load_service_model("lightsail", "service-2"))
    options = {
        xform_name(name, "-"): {f"--{xform_name(member, '-')}" for member in _members(model, name)}
        for name in model.operation_names
    }
    commands = re.findall(r"aws lightsail ([a-z-]+)([^\n`|]*)", LESSON)
    assert len(commands) > 10
    for name, rest in commands:
        used = set(re.findall(r"--[a-z-]+", rest)) - {"--query", "--output"}
        assert used <= options[name], name


def _members(model: ServiceModel, operation: str) -> set[str]:
    shape = model.operation_model(operation).input_shape
    assert isinstance(shape, StructureShape)
    return set(shape.members)
