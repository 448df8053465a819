"""The local deployment that the benchmarks in this folder use. `make local` must have run before."""

import sys
from pathlib import Path
from typing import Any

import psutil

from local.project import FOLDER, local_aws

ROOT = Path(__file__).resolve().parents[2]


class Deployment:
    """The running local AWS, and the stack of one example."""

    def __init__(self, stem: str) -> None:
        """Find the stack of the example `stem`, such as `api`. If it is not deployed, end the program."""
        self._aws = local_aws(FOLDER)
        engine = self._aws.running_engine()
        if engine is None:
            sys.exit("not measured, because no local deployment is running. Type: make local")
        self.engine = engine
        stacks = self.client("cloudformation").describe_stacks()["Stacks"]
        found = [stack for stack in stacks if {"Key": "example", "Value": stem} in stack["Tags"]]
        if not found:
            sys.exit(f"not measured, because the example {stem} is not deployed. Type: make local")
        self.name: str = found[0]["StackName"]
        self.outputs: dict[str, str] = {each["OutputKey"]: each["OutputValue"] for each in found[0]["Outputs"]}

    def client(self, service: str) -> Any:
        """Return a boto3 client of the local AWS."""
        return self._aws.client(service, self.engine)

    def resource(self, resource_type: str) -> str:
        """Return the name of the stack's only resource of this type, such as AWS::DynamoDB::Table."""
        resources = self.client("cloudformation").describe_stack_resources(StackName=self.name)["StackResources"]
        (name,) = [each["PhysicalResourceId"] for each in resources if each["ResourceType"] == resource_type]
        return str(name)

    def engine_mib(self) -> float:
        """Return the memory of the engine's own process in MiB. The processes of the functions do not count."""
        return float(psutil.Process(self.engine.pid).memory_info().rss) / 1024**2


def print_machine() -> None:
    """Print the number of processors, and the load of the last minute."""
    print(f"machine: {psutil.cpu_count()} processors, load {psutil.getloadavg()[0]:.1f}")
