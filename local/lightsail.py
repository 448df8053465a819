"""Shows what there is of the Lightsail example here: its record, and its launch script at work. There is no server."""

import shlex
import shutil
from pathlib import Path
from typing import Any

from local.lightsail_sandbox import sandbox
from local.scene import Scene
from localaws.aws import LocalError

TITLE = "its resources are only recorded here, and its launch script runs in a folder"
NEEDS = {"Server", "Address", "StatusCheckFailedAlarm", "BurstCapacityPercentageAlarm", "NetworkOutAlarm"}


def exercise(scene: Scene, outputs: dict[str, str]) -> None:
    """Compare the record with what was meant, and run the launch script. Raises LocalError if either is amiss."""
    cloudformation = scene.client("cloudformation")
    recorded = {
        found["LogicalResourceId"]: found["PhysicalResourceId"]
        for found in cloudformation.describe_stack_resources(StackName="compute-lightsail")["StackResources"]
        if found["ResourceStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    }
    if missing := NEEDS - set(recorded):
        raise LocalError(f"the local AWS has no record of {', '.join(sorted(missing))}")
    server = _template(cloudformation)["Resources"]["Server"]["Properties"]
    if recorded["Server"] != server["InstanceName"] or outputs["InstanceName"] != server["InstanceName"]:
        raise LocalError(f"the server is recorded as {recorded['Server']}, not as {server['InstanceName']}")
    ports = ", ".join(str(port["FromPort"]) for port in server["Networking"]["Ports"])
    print(f"    recorded, and no server started: {recorded['Server']}, open ports {ports}")
    print(f"    its address would be that of the static IP {recorded['Address']}; here it is made up")
    if shutil.which("curl") is None:
        print("    its launch script needs curl, which is not on this machine")
        return
    print("    its launch script ran in a folder, without installing anything, and wrote the page:")
    print(f"    {_launch(scene, server['UserData'])}")


def suggestions(scene: Scene, outputs: dict[str, str]) -> list[str]:
    """Commands to go on with."""
    return [
        f"aws cloudformation describe-stack-resources --stack-name compute-lightsail   # {outputs['InstanceName']}",
        f"cat {shlex.quote(str(_folder(scene) / 'commands'))}   # what the launch script would have had done",
    ]


def _launch(scene: Scene, script: str) -> Path:
    with sandbox(_folder(scene)) as made:
        run = made.run(script)
    if run.returncode:
        raise LocalError(f"the launch script failed: {run.stderr}")
    return made.page


def _folder(scene: Scene) -> Path:
    return scene.aws.folder / "lightsail"


def _template(cloudformation: Any) -> Any:
    return cloudformation.get_template(StackName="compute-lightsail")["TemplateBody"]
