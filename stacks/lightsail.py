"""A virtual server with a static address, a firewall, snapshots and alarms. Lightsail has L1 constructs alone."""

import ipaddress
from pathlib import Path
from typing import Any, TypeVar

from aws_cdk import Aws, CfnOutput, CfnResource, Fn, RemovalPolicy, Stack
from aws_cdk import aws_lightsail as lightsail
from constructs import Construct

TRANSFER_GB = {"nano": 1024, "micro": 2048, "small": 3072}
"""What a size may send and receive in a month before each GB is billed; half of it in some regions, Mumbai and Sydney.
https://docs.aws.amazon.com/cli/latest/reference/lightsail/get-bundles.html"""
FIVE_MINUTES_IN_THREE_DAYS = 3 * 24 * 12
DISK_GB = 8
"""The smallest there is; $0.10 a GB and month."""
DISK_PATH = "/dev/xvdf"
DATABASE_BUNDLE = "micro_2_0"
"""The smallest: 1 GB of memory, 40 GB, encrypted; $15 a month."""
BUCKET_BUNDLE = "small_1_0"
"""The smallest: 5 GB, and 25 GB of transfer; $1 a month."""
SNAPSHOT_AT = "03:00"
"""UTC. Updates restart the server an hour later, so that a bad one can be undone."""
LAUNCH_SCRIPT = Path(__file__).with_name("lightsail_launch.sh")
Resource = TypeVar("Resource", bound=CfnResource)


class LightsailStack(Stack):
    """Server <- static address, firewall, daily snapshots, three alarms; on demand a disk, a database, a bucket."""

    def __init__(  # noqa: PLR0913 - every choice of the example, by name
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's name
        *,
        retain_data: bool,
        blueprint: str,
        bundle: str,
        ssh_cidr: str | None = None,
        disk: bool = False,
        database: str | None = None,
        bucket: bool = False,
        alarm_email: str | None = None,
        **stack: Any,
    ) -> None:
        """`alarm_email` only tells whether alarms mail: Lightsail keeps the address itself, one for each region."""
        super().__init__(scope, id, **stack)
        # Not RETAIN: what is left of a first deployment that failed would be paid for, and its names be taken.
        self._removal = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if retain_data else RemovalPolicy.DESTROY

        server = self._server(
            "Server",
            blueprint=blueprint,
            bundle=bundle,
            ports=_ports(ssh_cidr),
            disk=self._disk("Disk") if disk else None,
        )
        address = self._address("Address", server)
        self._alarms(server, bundle, mail=alarm_email is not None)
        if database:
            CfnOutput(self, "DatabaseName", value=self._database("Database", database).ref)
        if bucket:
            CfnOutput(self, "BucketName", value=self._bucket("Bucket", server, versions=retain_data).ref)

        # Not the server's own PublicIpAddress: that is the one from before the static address came.
        CfnOutput(self, "StaticIp", value=address.attr_ip_address)
        CfnOutput(self, "InstanceName", value=server.ref)
        CfnOutput(self, "Url", value=f"http://{address.attr_ip_address}/")

    def _server(
        self,
        id_: str,
        *,
        blueprint: str,
        bundle: str,
        ports: list[lightsail.CfnInstance.PortProperty],
        disk: lightsail.CfnDisk | None,
    ) -> lightsail.CfnInstance:
        return self._kept(
            lightsail.CfnInstance(
                self,
                id_,
                instance_name=self._name("server"),
                # No availability zone: Lightsail's own list, from which CloudFormation then takes the first, is not
                # EC2's, which Fn.get_azs() would ask. The disk's zone is found in the same way, so it is the same.
                blueprint_id=blueprint,
                bundle_id=bundle,
                user_data=launch_script(blueprint, bundle),
                networking=lightsail.CfnInstance.NetworkingProperty(ports=ports),
                hardware=_attached(disk) if disk else None,
                add_ons=[
                    lightsail.CfnInstance.AddOnProperty(
                        add_on_type="AutoSnapshot",
                        auto_snapshot_add_on_request=lightsail.CfnInstance.AutoSnapshotAddOnProperty(
                            snapshot_time_of_day=SNAPSHOT_AT
                        ),
                    )
                ],
            )
        )

    def _address(self, id_: str, server: lightsail.CfnInstance) -> lightsail.CfnStaticIp:
        # Kept as the server is: without it, a server that outlives the stack would be at another address.
        return self._kept(
            lightsail.CfnStaticIp(self, id_, static_ip_name=self._name("address"), attached_to=server.ref)
        )

    def _disk(self, id_: str) -> lightsail.CfnDisk:
        return self._kept(
            lightsail.CfnDisk(
                self,
                id_,
                disk_name=self._name("disk"),
                size_in_gb=DISK_GB,
                add_ons=[
                    lightsail.CfnDisk.AddOnProperty(
                        add_on_type="AutoSnapshot",
                        auto_snapshot_add_on_request=lightsail.CfnDisk.AutoSnapshotAddOnProperty(
                            snapshot_time_of_day=SNAPSHOT_AT
                        ),
                    )
                ],
            )
        )

    def _database(self, id_: str, engine: str) -> lightsail.CfnDatabase:
        return self._kept(
            lightsail.CfnDatabase(
                self,
                id_,
                relational_database_name=self._name("database"),
                relational_database_blueprint_id=engine,
                relational_database_bundle_id=DATABASE_BUNDLE,
                master_database_name="app",
                master_username="app",
                # No password: Lightsail makes one, and tells it to whoever may ask.
                publicly_accessible=False,  # for servers in Lightsail alone
                backup_retention=True,  # seven days, any second of them
            )
        )

    def _bucket(self, id_: str, server: lightsail.CfnInstance, *, versions: bool) -> lightsail.CfnBucket:
        # A bucket's name has to be the only one in the world; the first part of the stack's random id makes it so.
        unique = Fn.select(0, Fn.split("-", Fn.select(2, Fn.split("/", Aws.STACK_ID))))
        return self._kept(
            lightsail.CfnBucket(
                self,
                id_,
                bucket_name=f"{self._name('bucket')}-{unique}",
                bundle_id=BUCKET_BUNDLE,
                access_rules=lightsail.CfnBucket.AccessRulesProperty(
                    object_access="private", allow_public_overrides=False
                ),
                object_versioning=versions,
                resources_receiving_access=[server.ref],
            )
        )

    def _alarms(self, server: lightsail.CfnInstance, bundle: str, *, mail: bool) -> None:
        too_much = TRANSFER_GB[bundle.partition("_")[0]] * 1024**3 // FIVE_MINUTES_IN_THREE_DAYS
        watched = {
            # Metric: comparison, threshold, five-minute periods in a row, what a gap is taken for
            "StatusCheckFailed": ("GreaterThanOrEqualToThreshold", 1, 2, "breaching"),  # stopped, it has no data
            # At 0 the plan's share of its processors is all that is left: 5 % of each for the smallest.
            "BurstCapacityPercentage": ("LessThanThreshold", 20, 3, "notBreaching"),
            # An hour at a rate that would use up a month's transfer in three days.
            "NetworkOut": ("GreaterThanThreshold", too_much, 12, "notBreaching"),
        }
        for metric, (comparison, threshold, periods, missing) in watched.items():
            lightsail.CfnAlarm(
                self,
                f"{metric}Alarm",
                alarm_name=self._name(metric),
                monitored_resource_name=server.ref,
                metric_name=metric,
                comparison_operator=comparison,
                threshold=threshold,
                evaluation_periods=periods,
                treat_missing_data=missing,
                contact_protocols=["Email"] if mail else None,
                notification_triggers=["ALARM", "OK"] if mail else None,
            )

    def _name(self, what: str) -> str:
        # Lightsail's types demand names, each the only one in the account and region whatever its type. These are
        # different for each prefix. CloudFormation cannot replace what has a fixed name, so a change that would
        # replace the server, and lose what is on it, is refused: docs/lightsail.md, "What is deployed".
        return f"{self.stack_name}-{what}"

    def _kept(self, resource: Resource) -> Resource:
        resource.apply_removal_policy(self._removal)
        return resource


def launch_script(blueprint: str, bundle: str) -> str | None:
    """What the server runs at its first start; None for a blueprint that brings its own software."""
    if blueprint != "ubuntu_24_04":
        return None
    facts = f"BLUEPRINT={blueprint}\nBUNDLE={bundle}\n"
    return f"#!/bin/sh\n{facts}{LAUNCH_SCRIPT.read_text(encoding='utf-8')}"


def _attached(disk: lightsail.CfnDisk) -> lightsail.CfnInstance.HardwareProperty:
    return lightsail.CfnInstance.HardwareProperty(
        disks=[lightsail.CfnInstance.DiskProperty(disk_name=disk.ref, path=DISK_PATH)]
    )


def _ports(ssh_cidr: str | None) -> list[lightsail.CfnInstance.PortProperty]:
    # The list replaces Lightsail's default, which opens 22 to everybody.
    ports = [_port(number, "0.0.0.0/0", "::/0") for number in (80, 443)]
    return [*ports, _port(22, ssh_cidr)] if ssh_cidr else ports


def _port(number: int, *sources: str) -> lightsail.CfnInstance.PortProperty:
    # There are two firewalls, one for each version of IP.
    by_version: dict[int, list[str]] = {4: [], 6: []}
    for source in sources:
        by_version[ipaddress.ip_network(source).version].append(source)
    return lightsail.CfnInstance.PortProperty(
        from_port=number,
        to_port=number,
        protocol="tcp",
        cidrs=by_version[4] or None,
        ipv6_cidrs=by_version[6] or None,
    )
