"""Runs the job of the batch example as processes of this machine.

The local AWS itself runs no jobs: a job that someone submits there succeeds immediately and does nothing. Each process
is one child of the array job. It behaves as on AWS, but without a container. The command, the environment and the role
come from the deployed job definition, and the local AWS enforces the permissions of the role.

The arguments are the pictures to process, and the number of children:

    python -m local.batch_job 'holiday/*' 4
"""

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3

from local.project import ROOT
from localaws import run_with_parent
from localaws.process_groups import end_process_group
from localaws.progress import shown_step
from scripts.manifests import show_manifests

EXAMPLE_TAG = {"Key": "example", "Value": "batch"}
"""The tag of the batch stack."""
PYTHON_PATH = os.pathsep.join([str(ROOT / "containers" / "batch"), str(ROOT / "lambda_src")])
"""The folders from which Python imports the program of a child."""


@dataclass(frozen=True, kw_only=True)
class ArrayJob:
    """An array job. Each attempt starts all children of the job."""

    client: Callable[[str], Any]
    environment: Mapping[str, str]
    """The environment variables with which programs find the local AWS."""
    outputs: Mapping[str, str]
    """The outputs of the batch stack."""
    keys: str
    """The keys of the pictures, such as `holiday/*`."""
    children: int
    """The number of children."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @contextmanager
    def running_children(self, *, attempt: int = 1) -> Iterator[list[subprocess.Popen[str]]]:
        """Start the process of every child in its own process group. At the end of the `with` block, end them all.

        The children also end if this process is killed, because the operating system then closes the pipe.
        """
        pipe_end, own_end = os.pipe()
        try:
            with tempfile.TemporaryDirectory() as temporary:  # a killed child leaves sockets in this folder
                processes = self._start(attempt, temporary, pipe_end)
                try:
                    yield processes
                finally:
                    for process in processes:
                        end_process_group(process.pid, process)
        finally:
            os.close(pipe_end)
            os.close(own_end)

    def _start(self, attempt: int, temporary: str, pipe_end: int) -> list[subprocess.Popen[str]]:
        definition = self._definition()
        parameters = {"Ref::keys": self.keys, "Ref::children": str(self.children)}
        command = [parameters.get(word, word) for word in definition["command"]]
        environment = {
            **self.environment,
            **self._credentials(definition["jobRoleArn"]),
            **{variable["name"]: variable["value"] for variable in definition["environment"]},
            "PYTHONPATH": PYTHON_PATH,
            "TMPDIR": temporary,
            "AWS_BATCH_JOB_ATTEMPT": str(attempt),
        }
        return [
            subprocess.Popen(
                [sys.executable, run_with_parent.__file__, sys.executable, "-m", "batch", *command],
                env={
                    **environment,
                    "AWS_BATCH_JOB_ID": f"{self.id}:{index}",
                    "AWS_BATCH_JOB_ARRAY_INDEX": str(index),
                },
                stdin=pipe_end,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            for index in range(self.children)
        ]

    def _definition(self) -> dict[str, Any]:
        arn = self.outputs["JobDefinitionArn"]
        answer = self.client("batch").describe_job_definitions(jobDefinitions=[arn])
        (deployed,) = [definition for definition in answer["jobDefinitions"] if definition["jobDefinitionArn"] == arn]
        return dict(deployed["containerProperties"])

    def _credentials(self, role: str) -> dict[str, str]:
        assumed = self.client("sts").assume_role(RoleArn=role, RoleSessionName="job")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": assumed["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": assumed["SecretAccessKey"],
            "AWS_SESSION_TOKEN": assumed["SessionToken"],
        }


def main() -> int:
    """Run a job, and wait until it ends. Return 0 if every picture was processed, and 1 if not."""
    keys, children = sys.argv[1], int(sys.argv[2])
    if "AWS_ENDPOINT_URL" not in os.environ:
        sys.exit(
            "error: this command needs the local AWS. Run `. .local/env` before it. For your account, use make submit"
        )
    stack = _stack_outputs()
    job = ArrayJob(client=_client, environment=os.environ, outputs=stack, keys=keys, children=children)
    print(f"==> job {job.id}: {keys}, {children} children")
    with job.running_children() as processes:
        with shown_step(f"{children} children work"):
            logs = [process.communicate()[0] for process in processes]
        print(*logs, sep="", end="")
    complete = show_manifests(_client("s3"), stack["OutputBucketName"], job.id, children)
    return 0 if complete and not any(process.returncode for process in processes) else 1


def _stack_outputs() -> dict[str, str]:
    # The tag finds the stack, because its name begins with the setting `prefix`.
    stacks = [stack for stack in _client("cloudformation").describe_stacks()["Stacks"] if EXAMPLE_TAG in stack["Tags"]]
    if len(stacks) != 1:
        names = ", ".join(stack["StackName"] for stack in stacks) or "none"
        sys.exit(f"error: the local AWS must have one stack of the batch example. Its stacks of this example: {names}")
    return {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}


def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload] # the types have one overload for each service


if __name__ == "__main__":
    sys.exit(main())
