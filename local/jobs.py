"""Runs the batch example's job as processes of this machine: the engine's own jobs succeed without running.

Everything but the container is as deployed: the job definition's command and environment, and its role, whose
permissions the engine enforces.

    python -m local.jobs 'holiday/*' 4
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
from localaws.process_groups import end_process_group
from scripts.manifests import show_manifests
from scripts.submit import outputs

PROGRAM = os.pathsep.join([str(ROOT / "containers" / "batch"), str(ROOT / "lambda_src")])


@dataclass(frozen=True, kw_only=True)
class ArrayJob:
    """A job that was submitted, in words. Its children are started anew for each attempt."""

    client: Callable[[str], Any]
    environment: Mapping[str, str]
    """Leads to the local AWS."""
    deployed: Mapping[str, str]
    """The stack's outputs."""
    keys: str
    children: int
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @contextmanager
    def started(self, *, attempt: int = 1) -> Iterator[list[subprocess.Popen[str]]]:
        """Start every child, as a group of processes of its own. Those that run at the end of the block are ended."""
        with tempfile.TemporaryDirectory() as temporary:  # where one that is killed leaves its sockets
            children = self._start(attempt, temporary)
            try:
                yield children
            finally:
                for child in children:
                    end_process_group(child.pid, child)

    def _start(self, attempt: int, temporary: str) -> list[subprocess.Popen[str]]:
        definition = self._definition()
        parameters = {"Ref::keys": self.keys, "Ref::children": str(self.children)}
        command = [parameters.get(word, word) for word in definition["command"]]
        environment = {
            **self.environment,
            **self._credentials(definition["jobRoleArn"]),
            **{variable["name"]: variable["value"] for variable in definition["environment"]},
            "PYTHONPATH": PROGRAM,
            "TMPDIR": temporary,
            "AWS_BATCH_JOB_ATTEMPT": str(attempt),
        }
        return [
            subprocess.Popen(
                [sys.executable, "-m", "batch", *command],
                env={
                    **environment,
                    "AWS_BATCH_JOB_ID": f"{self.id}:{child}",
                    "AWS_BATCH_JOB_ARRAY_INDEX": str(child),
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            for child in range(self.children)
        ]

    def _definition(self) -> dict[str, Any]:
        found = self.client("batch").describe_job_definitions(jobDefinitions=[self.deployed["JobDefinitionArn"]])
        (definition,) = [
            one for one in found["jobDefinitions"] if one["jobDefinitionArn"] == self.deployed["JobDefinitionArn"]
        ]
        return dict(definition["containerProperties"])

    def _credentials(self, role: str) -> dict[str, str]:
        assumed = self.client("sts").assume_role(RoleArn=role, RoleSessionName="job")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": assumed["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": assumed["SecretAccessKey"],
            "AWS_SESSION_TOKEN": assumed["SessionToken"],
        }


def main() -> int:
    """Run a job to its end. Exit 0 if every picture is settled."""
    keys, children = sys.argv[1], int(sys.argv[2])
    if "AWS_ENDPOINT_URL" not in os.environ:
        sys.exit("error: this is for the AWS on this machine: . .local/env; for your account: make submit")
    deployed = outputs("compute")
    job = ArrayJob(client=_client, environment=os.environ, deployed=deployed, keys=keys, children=children)
    print(f"==> job {job.id}: {keys}, {children} children")
    with job.started() as processes:
        for child in processes:
            print(child.communicate()[0], end="")
    settled = show_manifests(_client("s3"), deployed["OutputBucketName"], job.id, children)
    return 0 if settled and not any(child.returncode for child in processes) else 1


def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload] # any service


if __name__ == "__main__":
    sys.exit(main())
