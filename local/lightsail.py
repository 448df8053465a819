"""Shows the Lightsail example: its recorded resources, and its launch script in a folder. There is no server here."""

import shlex
import shutil
from pathlib import Path
from typing import Any

from local.deployment import LocalDeployment
from local.lightsail_launch import stand_in_server
from localaws.aws import LocalError

TITLE = "its resources are only recorded here, and its launch script runs in a folder"
EXPECTED = {"Server", "Address", "StatusCheckFailedAlarm", "BurstCapacityPercentageAlarm", "NetworkOutAlarm"}


def exercise(deployment: LocalDeployment, outputs: dict[str, str]) -> None:
    """Compare the recorded resources with the template, and run the launch script. Raises LocalError if they fail."""
    cloudformation = deployment.client("cloudformation")
    recorded = {
        found["LogicalResourceId"]: found["PhysicalResourceId"]
        for found in cloudformation.describe_stack_resources(StackName="compute-lightsail")["StackResources"]
        if found["ResourceStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    }
    if missing := EXPECTED - set(recorded):
        raise LocalError(f"the local AWS has no record of {', '.join(sorted(missing))}")
    server = _template(cloudformation)["Resources"]["Server"]["Properties"]
    if recorded["Server"] != server["InstanceName"] or outputs["InstanceName"] != server["InstanceName"]:
        raise LocalError(f"the server is recorded as {recorded['Server']} instead of {server['InstanceName']}")
    ports = ", ".join(str(port["FromPort"]) for port in server["Networking"]["Ports"])
    print(f"    only recorded, no server runs: {recorded['Server']}, open ports {ports}")
    print(f"    on AWS it gets the address of the static IP {recorded['Address']}; here the address is invented")
    if shutil.which("curl") is None:
        print("    its launch script cannot run, because this machine has no curl")
        return
    print("    its launch script ran in a folder, installed nothing, and wrote this page:")
    print(f"    {_launch(deployment, server['UserData'])}")


def suggestions(deployment: LocalDeployment, outputs: dict[str, str]) -> list[str]:
    """Return shell commands that the person may try next."""
    return [
        f"aws cloudformation describe-stack-resources --stack-name compute-lightsail   # {outputs['InstanceName']}",
        f"cat {shlex.quote(str(_folder(deployment) / 'commands'))}   # commands that the launch script would have run",
    ]


def _launch(deployment: LocalDeployment, script: str) -> Path:
    with stand_in_server(_folder(deployment)) as server:
        run = server.run(script)
    if run.returncode:
        raise LocalError(f"the launch script failed: {run.stderr}")
    return server.page


def _folder(deployment: LocalDeployment) -> Path:
    return deployment.aws.folder / "lightsail"


def _template(cloudformation: Any) -> Any:
    return cloudformation.get_template(StackName="compute-lightsail")["TemplateBody"]
