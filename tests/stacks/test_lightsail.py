"""These tests check the Lightsail stack and its launch script. test_snapshots.py compares the whole template.

The launch script installs the web server when the server starts for the first time.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local.lightsail_launch import FakeServer, fake_server
from settings_checks import LIGHTSAIL_SIZES
from stacks import lightsail_watch
from tests.support.apps import PREFIX, properties_of, template_with, templates
from tests.support.folders import ROOT
from tests.support.schemas import schema
from tools.templates import Template, resources

SANDBOX = templates("sandbox")["lightsail"]
PRODUCTION = templates("production")["lightsail"]
in_both_profiles = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])
LESSON = (ROOT / "docs" / "lightsail.md").read_text()
ALL_OPTIONS = {"lightsail_disk": "true", "lightsail_database": "postgres_16", "lightsail_bucket": "true"}


def lightsail_properties(template: Template, kind: str) -> dict[str, Any]:
    return properties_of(template, f"AWS::Lightsail::{kind}")


# -- the server and its address


@in_both_profiles
def test_the_outputs_use_the_static_address(template: Template) -> None:
    """PublicIpAddress is the address that the server had before it got the static address."""
    static_address = {"Fn::GetAtt": ["Address", "IpAddress"]}
    assert template["Outputs"]["StaticIp"]["Value"] == static_address
    assert template["Outputs"]["Url"]["Value"] == {"Fn::Join": ["", ["http://", static_address, "/"]]}
    assert template["Outputs"]["InstanceName"]["Value"] == {"Ref": "Server"}
    # Without this reference, CloudFormation could create the address before the server.
    assert lightsail_properties(template, "StaticIp")["AttachedTo"] == {"Ref": "Server"}
    assert "PublicIpAddress" not in json.dumps(template)


@in_both_profiles
def test_http_and_https_are_open_and_ssh_is_closed(template: Template) -> None:
    """Without a list of ports, Lightsail opens port 22 to everybody."""
    everybody = {"Protocol": "tcp", "Cidrs": ["0.0.0.0/0"], "Ipv6Cidrs": ["::/0"]}
    assert lightsail_properties(template, "Instance")["Networking"]["Ports"] == [
        {"FromPort": port, "ToPort": port, **everybody} for port in (80, 443)
    ]


@pytest.mark.parametrize(
    ("cidr", "expected"),
    [("192.0.2.44/32", {"Cidrs": ["192.0.2.44/32"]}), ("2001:db8::/48", {"Ipv6Cidrs": ["2001:db8::/48"]})],
)
def test_ssh_is_open_only_to_the_configured_network(cidr: str, expected: Mapping[str, Any]) -> None:
    ports = lightsail_properties(template_with("lightsail", lightsail_ssh_cidr=cidr), "Instance")["Networking"]["Ports"]
    assert ports[-1] == {"FromPort": 22, "ToPort": 22, "Protocol": "tcp", **expected}
    assert [port["FromPort"] for port in ports] == [80, 443, 22]


@in_both_profiles
def test_lightsail_takes_a_snapshot_an_hour_before_updates_restart_the_server(template: Template) -> None:
    (add_on,) = lightsail_properties(template, "Instance")["AddOns"]
    assert add_on == {"AddOnType": "AutoSnapshot", "AutoSnapshotAddOnRequest": {"SnapshotTimeOfDay": "03:00"}}
    assert 'Automatic-Reboot-Time "04:00"' in lightsail_properties(template, "Instance")["UserData"]


def test_production_retains_every_store_and_the_ids_of_stores_never_change() -> None:
    """With another logical id, CloudFormation would create a second resource of the same name, which fails."""
    template = template_with("lightsail", profile="production", **ALL_OPTIONS)
    # With Retain, resources of a failed first deployment would stay, and the next deployment could not use their names.
    retained = {
        name
        for name, resource in template["Resources"].items()
        if resource.get("DeletionPolicy") == "RetainExceptOnCreate"
    }
    assert retained == {"Server", "Address", "Disk", "Database", "Bucket"}
    assert all(template["Resources"][name]["UpdateReplacePolicy"] == "Retain" for name in retained)


# -- replacement: CloudFormation deletes a resource and creates it anew


def create_only_properties(kind: str) -> set[str]:
    """Return the properties of a type that CloudFormation changes only by a replacement. AWS publishes this list."""
    found = schema(f"AWS::Lightsail::{kind}")
    assert found is not None
    return {path.removeprefix("/properties/") for path in found["createOnlyProperties"]}


CREATE_ONLY_VALUES = {
    "Instance": {"InstanceName": f"{PREFIX}-lightsail-server", "BlueprintId": "ubuntu_24_04", "BundleId": "nano_3_0"},
    "StaticIp": {"StaticIpName": f"{PREFIX}-lightsail-address"},
    "Disk": {"DiskName": f"{PREFIX}-lightsail-disk", "SizeInGb": 8},
    "Database": {
        "RelationalDatabaseName": f"{PREFIX}-lightsail-database",
        "RelationalDatabaseBlueprintId": "postgres_16",
        "RelationalDatabaseBundleId": "micro_2_0",
        "MasterDatabaseName": "app",
        "MasterUsername": "app",
    },
}


@pytest.mark.slow  # loads cfn-lint
@pytest.mark.parametrize("kind", CREATE_ONLY_VALUES)
def test_properties_that_need_a_replacement_never_change(kind: str) -> None:
    properties = lightsail_properties(template_with("lightsail", **ALL_OPTIONS), kind)
    assert {name: properties[name] for name in create_only_properties(kind) & set(properties)} == CREATE_ONLY_VALUES[
        kind
    ], (
        "a new value needs a replacement. CloudFormation refuses it for an existing deployment, or creates an empty "
        "resource with another name. First read docs/lightsail.md, 'What is deployed'"
    )


@pytest.mark.slow  # loads cfn-lint
def test_the_lesson_lists_every_property_that_needs_a_replacement() -> None:
    rows = re.findall(r"^\| `(\w+)\.(\w+)` \| (refused|replaced) \|", LESSON, re.MULTILINE)
    assert {*rows} == {
        # CloudFormation can create a replacement only under another name.
        (kind, name, "replaced" if name in {"InstanceName", "StaticIpName", "DiskName"} else "refused")
        for kind in ("Instance", "StaticIp", "Disk")
        for name in create_only_properties(kind)
    }


def test_every_resource_of_two_deployments_has_its_own_name() -> None:
    names = set()
    for prefix in ("compute", "mine"):
        template = template_with("lightsail", prefix=prefix, **ALL_OPTIONS)
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


def test_alarms_have_the_right_conditions() -> None:
    alarms = alarms_of(SANDBOX)
    assert {
        name: (alarm["ComparisonOperator"], alarm["Threshold"], alarm["EvaluationPeriods"], alarm["TreatMissingData"])
        for name, alarm in alarms.items()
    } == {
        "StatusCheckFailed": ("GreaterThanOrEqualToThreshold", 1, 2, "breaching"),  # a stopped server sends no data
        "BurstCapacityPercentage": ("LessThanThreshold", 20, 3, "notBreaching"),
        # 12 periods are one hour. At this rate (34 Mbit/s), the server would use up the transfer of a month, 1,024 GB,
        # in three days.
        "NetworkOut": ("GreaterThanThreshold", 1024**4 // 864, 12, "notBreaching"),
    }
    for alarm in alarms.values():
        assert alarm["MonitoredResourceName"] == {"Ref": "Server"}
        assert "ContactProtocols" not in alarm, "no address is configured"


def test_alarms_send_mail_if_an_address_is_configured() -> None:
    template = template_with("lightsail", alarm_email="me@example.com", lightsail_bundle="small_3_2")
    assert lightsail_properties(template, "Instance")["BundleId"] == "small_3_2", (
        "small_3_2 is the plan small in Sydney"
    )
    alarms = alarms_of(template)
    assert [alarm["ContactProtocols"] for alarm in alarms.values()] == [["Email"]] * 3
    assert [alarm["NotificationTriggers"] for alarm in alarms.values()] == [["ALARM", "OK"]] * 3
    assert alarms["NetworkOut"]["Threshold"] == 3 * 1024**4 // 864, "the plan small includes 3,072 GB a month"


# -- options


def test_one_setting_is_enough_for_wordpress() -> None:
    server = lightsail_properties(template_with("lightsail", lightsail_blueprint="wordpress"), "Instance")
    assert (server["BlueprintId"], server["BundleId"]) == ("wordpress", "micro_3_0")
    assert "UserData" not in server, "the launch script would install nginx, but Apache already uses its port"


@in_both_profiles
def test_without_settings_the_stack_has_no_disk_database_or_bucket(template: Template) -> None:
    kinds = {resource["Type"] for resource in template["Resources"].values()} - {"AWS::CDK::Metadata"}
    assert kinds == {"AWS::Lightsail::Instance", "AWS::Lightsail::StaticIp", "AWS::Lightsail::Alarm"}


def test_a_disk_is_attached_to_the_server() -> None:
    template = template_with("lightsail", **ALL_OPTIONS)
    hardware = lightsail_properties(template, "Instance")["Hardware"]
    assert hardware["Disks"] == [{"DiskName": {"Ref": "Disk"}, "Path": "/dev/xvdf"}]
    assert lightsail_properties(template, "Disk")["AddOns"][0]["AddOnType"] == "AutoSnapshot"
    # A disk must be in the zone of its server. If the template names no zone, Lightsail puts the disk and the server
    # into the first zone of the region.
    assert "AvailabilityZone" not in lightsail_properties(template, "Disk")
    assert "AvailabilityZone" not in lightsail_properties(template, "Instance")


def test_a_database_is_private_and_its_password_is_not_in_the_template() -> None:
    template = template_with("lightsail", **ALL_OPTIONS)
    database = lightsail_properties(template, "Database")
    assert database["PubliclyAccessible"] is False
    assert database["BackupRetention"] is True
    assert "assword" not in json.dumps(template)
    assert template["Outputs"]["DatabaseName"]["Value"] == {"Ref": "Database"}


def test_only_the_server_has_access_to_a_bucket() -> None:
    template = template_with("lightsail", **ALL_OPTIONS)
    bucket = lightsail_properties(template, "Bucket")
    assert bucket["AccessRules"] == {"GetObject": "private", "AllowPublicOverrides": False}
    assert bucket["ResourcesReceivingAccess"] == [{"Ref": "Server"}]
    assert template["Outputs"]["BucketName"]["Value"] == {"Ref": "Bucket"}


def test_every_plan_size_has_an_amount_of_transfer() -> None:
    assert set(LIGHTSAIL_SIZES) == set(lightsail_watch.TRANSFER_GB)


# -- the launch script

SCRIPT = str(lightsail_properties(SANDBOX, "Instance")["UserData"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    with fake_server(tmp_path) as server:
        yield server


def test_shellcheck_finds_nothing_in_the_launch_script(tmp_path: Path) -> None:
    """Lightsail appends this script to its own script, which sh runs. So the line #!/bin/bash would have no effect."""
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
    assert 'APT::Periodic::Unattended-Upgrade "1";' in server.update_settings.read_text()


def test_the_launch_script_can_run_twice(server: FakeServer) -> None:
    assert server.run(SCRIPT).returncode == 0
    first_files = (server.page.read_bytes(), server.update_settings.read_bytes())
    assert server.run(SCRIPT).returncode == 0
    assert (server.page.read_bytes(), server.update_settings.read_bytes()) == first_files
    assert [path.name for path in server.page.parent.iterdir()] == ["index.html"]


def test_the_launch_script_waits_for_the_updates_of_the_first_start(server: FakeServer) -> None:
    server.replace_command("sleep", '#!/bin/sh\necho "sleep $*" >> "$COMMANDS"\n')
    server.replace_command(
        "apt-get",
        '#!/bin/sh\necho "apt-get $1" >> "$COMMANDS"\n'
        '[ "$1" != update ] || [ "$(grep -c update "$COMMANDS")" -gt 2 ]\n',  # the first two updates fail
    )
    assert server.run(SCRIPT).returncode == 0
    assert server.commands()[:5] == ["apt-get update", "sleep 10"] * 2 + ["apt-get update"]


@pytest.mark.parametrize(
    ("command", "script"),
    [("apt-get", "#!/bin/sh\nexit 100\n"), ("systemctl", "#!/bin/sh\nexit 1\n"), ("curl", "#!/bin/sh\nexit 22\n")],
)
def test_a_failed_command_fails_the_launch_script(server: FakeServer, command: str, script: str) -> None:
    server.replace_command("sleep", "#!/bin/sh\n")
    server.replace_command(command, script)
    run = server.run(SCRIPT)
    assert run.returncode != 0
    assert "the page is served" not in run.stdout
