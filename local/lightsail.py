"""Shows the Lightsail example. The local AWS only stores its resources and runs no server.

So the exercise runs the launch script of the server in a folder of this machine.
"""

import shlex
import shutil
from pathlib import Path
from typing import Any

from local.deployment import LocalDeployment
from local.lightsail_launch import fake_server
from local.project import shown_path
from localaws.aws import LocalError

TITLE = "the local AWS only stores the resources, and the launch script runs in a folder"
EXPECTED_IDS = {"Server", "Address", "StatusCheckFailedAlarm", "BurstCapacityPercentageAlarm", "NetworkOutAlarm"}
"""Logical ids of the resources that the stack must contain."""


def exercise(deployment: LocalDeployment, outputs: dict[str, str]) -> None:
    """Compare the stored resources with the template. Then run the launch script.

    Raises LocalError if a resource is missing or has a wrong name, or if the launch script fails.
    """
    cloudformation, stack = deployment.client("cloudformation"), deployment.stack_names["lightsail"]
    names = _names_of_resources(cloudformation, stack)
    if missing := EXPECTED_IDS - set(names):
        raise LocalError(f"these resources of the stack are missing in the local AWS: {', '.join(sorted(missing))}")
    template = cloudformation.get_template(StackName=stack)["TemplateBody"]
    server = template["Resources"]["Server"]["Properties"]
    expected_name = server["InstanceName"]
    if names["Server"] != expected_name or outputs["InstanceName"] != expected_name:
        raise LocalError(
            f"the server must have the name {expected_name}, but its resource has the name {names['Server']} "
            f"and the output has the name {outputs['InstanceName']}"
        )
    ports = ", ".join(str(port["FromPort"]) for port in server["Networking"]["Ports"])
    print(f"    the local AWS stores the server {expected_name} with the open ports {ports}, but runs no server")
    print(f"    on AWS the server has the address of the static IP {names['Address']}; here the address is invented")
    if "UserData" not in server:
        print(f"    the server has no launch script, because its software is {server['BlueprintId']}")
        return
    if shutil.which("curl") is None:
        print("    the launch script cannot run, because this machine has no curl")
        return
    print("    the launch script ran in a folder. It installed nothing, and it wrote this page:")
    print(f"    {shown_path(_run_launch_script(deployment, server['UserData']))}")


def suggestions(deployment: LocalDeployment, outputs: dict[str, str]) -> list[str]:
    """Return shell commands that the person may try next."""
    stack, commands = deployment.stack_names["lightsail"], _folder(deployment) / "commands"
    show_stack = f"aws cloudformation describe-stack-resources --stack-name {stack}   # {outputs['InstanceName']}"
    if not commands.exists():
        return [show_stack]
    comment = "# apt-get and systemctl commands that the launch script runs on a real server"
    return [show_stack, f"cat {shlex.quote(str(commands))}   {comment}"]


def _names_of_resources(cloudformation: Any, stack: str) -> dict[str, str]:
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        if resource["ResourceStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    }


def _run_launch_script(deployment: LocalDeployment, script: str) -> Path:
    with fake_server(_folder(deployment)) as server:
        run = server.run(script)
    if run.returncode:
        raise LocalError(f"the launch script failed: {run.stderr}")
    return server.page


def _folder(deployment: LocalDeployment) -> Path:
    return deployment.aws.folder / "lightsail"
