"""A virtual server with a static address, a firewall, snapshots and alarms.

For Lightsail, CDK only has L1 constructs: one class for each resource type of CloudFormation.
"""

from pathlib import Path
from typing import Any

from aws_cdk import Aws, CfnOutput, Fn, Stack
from aws_cdk import aws_lightsail as lightsail
from constructs import Construct

from stacks._stores import removal_policy
from stacks.lightsail_firewall import open_ports
from stacks.lightsail_watch import add_alarms

DISK_GB = 8
"""Size of the smallest disk. It costs $0.10 a GB and month."""
DISK_PATH = "/dev/xvdf"
"""The path of the disk on the server."""
DATABASE_BUNDLE = "micro_2_0"
"""The smallest bundle for a database: 1 GB of memory and 40 GB of encrypted disk. It costs $15 a month."""
BUCKET_BUNDLE = "small_1_0"
"""The smallest bundle for a bucket: 5 GB of storage and 25 GB of transfer a month. It costs $1 a month."""
SNAPSHOT_TIME = "03:00"
"""Time of the daily snapshots, in UTC. Updates restart the server one hour later. A snapshot can undo a bad update."""
LAUNCH_SCRIPT = Path(__file__).with_name("lightsail_launch.sh")


class LightsailStack(Stack):
    """A server, a static address, a firewall, daily snapshots, alarms. Optional: a disk, a database and a bucket."""

    def __init__(  # noqa: PLR0913 - each setting is a keyword argument
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK uses this name
        *,
        retain_data: bool,
        blueprint: str,
        bundle: str,
        ssh_cidr: str | None = None,
        disk: bool = False,
        database: str | None = None,
        bucket: bool = False,
        alarm_email: str | None = None,
        **stack_parameters: Any,
    ) -> None:
        """Add the resources of the example.

        With an `alarm_email`, Lightsail sends mails about alarms. The receiver is not `alarm_email`, but the contact
        address that a user has registered in Lightsail for this region (docs/lightsail.md).
        """
        description = "Lightsail: a virtual server with a static address, a firewall, snapshots and alarms"
        super().__init__(scope, id, description=description, **stack_parameters)

        extra_disk = self._disk("Disk") if disk else None
        server = self._server("Server", blueprint, bundle, ssh_cidr, extra_disk)
        address = lightsail.CfnStaticIp(self, "Address", static_ip_name=self._name("address"), attached_to=server.ref)
        add_alarms(self, server, bundle, mail=alarm_email is not None)
        app_database = self._database("Database", database) if database else None
        app_bucket = self._bucket("Bucket", server, keep_versions=retain_data) if bucket else None

        # The address has the same policy as the server, because a server that remains must keep its address.
        removal = removal_policy(retain_data=retain_data)
        for resource in filter(None, (server, address, extra_disk, app_database, app_bucket)):
            resource.apply_removal_policy(removal)

        # The server's attribute PublicIpAddress would be its old address, from before the static address was attached.
        CfnOutput(self, "StaticIp", value=address.attr_ip_address)
        CfnOutput(self, "InstanceName", value=server.ref)
        CfnOutput(self, "Url", value=f"http://{address.attr_ip_address}/")
        if app_database:
            CfnOutput(self, "DatabaseName", value=app_database.ref)
        if app_bucket:
            CfnOutput(self, "BucketName", value=app_bucket.ref)

    def _server(
        self, id_: str, blueprint: str, bundle: str, ssh_cidr: str | None, disk: lightsail.CfnDisk | None
    ) -> lightsail.CfnInstance:
        return lightsail.CfnInstance(
            self,
            id_,
            instance_name=self._name("server"),
            # Without an availability zone, CloudFormation chooses the first zone in Lightsail's list. The server and
            # the disk are then in the same zone. Fn.get_azs() would return EC2's list of zones, which is different.
            blueprint_id=blueprint,
            bundle_id=bundle,
            user_data=_launch_script(blueprint, bundle),
            networking=lightsail.CfnInstance.NetworkingProperty(ports=open_ports(ssh_cidr)),
            hardware=_hardware(disk) if disk else None,
            add_ons=[
                lightsail.CfnInstance.AddOnProperty(
                    add_on_type="AutoSnapshot",
                    auto_snapshot_add_on_request=lightsail.CfnInstance.AutoSnapshotAddOnProperty(
                        snapshot_time_of_day=SNAPSHOT_TIME
                    ),
                )
            ],
        )

    def _disk(self, id_: str) -> lightsail.CfnDisk:
        return lightsail.CfnDisk(
            self,
            id_,
            disk_name=self._name("disk"),
            size_in_gb=DISK_GB,
            add_ons=[
                lightsail.CfnDisk.AddOnProperty(
                    add_on_type="AutoSnapshot",
                    auto_snapshot_add_on_request=lightsail.CfnDisk.AutoSnapshotAddOnProperty(
                        snapshot_time_of_day=SNAPSHOT_TIME
                    ),
                )
            ],
        )

    def _database(self, id_: str, engine: str) -> lightsail.CfnDatabase:
        return lightsail.CfnDatabase(
            self,
            id_,
            relational_database_name=self._name("database"),
            relational_database_blueprint_id=engine,
            relational_database_bundle_id=DATABASE_BUNDLE,
            master_database_name="app",
            master_username="app",
            # Lightsail generates the password. Users who have permission in IAM can read it.
            publicly_accessible=False,  # only servers in Lightsail can connect
            backup_retention=True,  # the database can be restored to any second of the last seven days
        )

    def _bucket(self, id_: str, server: lightsail.CfnInstance, *, keep_versions: bool) -> lightsail.CfnBucket:
        # A bucket's name must be unique in the world. The first part of the stack's random id makes it unique.
        unique = Fn.select(0, Fn.split("-", Fn.select(2, Fn.split("/", Aws.STACK_ID))))
        return lightsail.CfnBucket(
            self,
            id_,
            bucket_name=f"{self._name('bucket')}-{unique}",
            bundle_id=BUCKET_BUNDLE,
            access_rules=lightsail.CfnBucket.AccessRulesProperty(object_access="private", allow_public_overrides=False),
            object_versioning=keep_versions,
            resources_receiving_access=[server.ref],
        )

    def _name(self, suffix: str) -> str:
        # Each Lightsail resource needs a name that no other Lightsail resource in the account and region has. The
        # stack's name is different for each prefix. CloudFormation cannot replace a resource with a fixed name. So it
        # refuses a change that would replace the server and lose its data: docs/lightsail.md, "What is deployed".
        return f"{self.stack_name}-{suffix}"


def _launch_script(blueprint: str, bundle: str) -> str | None:
    """Return the script that the server runs at its first start, or None for a blueprint that has its own software."""
    if blueprint != "ubuntu_24_04":
        return None
    variables = f"BLUEPRINT={blueprint}\nBUNDLE={bundle}\n"
    return f"#!/bin/sh\n{variables}{LAUNCH_SCRIPT.read_text(encoding='utf-8')}"


def _hardware(disk: lightsail.CfnDisk) -> lightsail.CfnInstance.HardwareProperty:
    return lightsail.CfnInstance.HardwareProperty(
        disks=[lightsail.CfnInstance.DiskProperty(disk_name=disk.ref, path=DISK_PATH)]
    )
