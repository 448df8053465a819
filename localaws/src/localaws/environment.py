"""Environment variables: they lead clients to the local AWS, and away from the person's own account."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from localaws.urls import HOSTS

ACCOUNT = "000000000000"
REGION = "us-east-1"
ACCESS_KEY = "test"
"""The key and the secret of the engine's root user."""

LOOPBACK_WITHOUT_PROXY = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

_SHELL_FILE = r"""# Source this file (`. env`): `aws`, `cdk`, `curl` and boto3 then use the local AWS.
{exports}
export PATH={programs}:"$PATH"
# Version 1 of the AWS CLI reads no endpoint for SQS from the environment.
aws() {{ command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }}
# The host names of API Gateway and of load balancers would lead to AWS.
curl() {{
  here=$AWS_ENDPOINT_URL
  for argument do
    shift
    set -- "$@" "$(printf %s "$argument" | sed -E {hosts})"
  done
  command curl "$@"
}}
"""


def inherited() -> dict[str, str]:
    """Return the environment of this process without the variables that configure AWS, the CDK or the engine."""
    foreign = ("AWS_", "CDK_", "MINISTACK_", "LAMBDA_", "LOCALSTACK_", "LOCAL_AWS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def path(project: Path) -> str:
    """Return a PATH that begins with the programs beside this Python and those of the project's `node_modules`."""
    return os.pathsep.join([*_program_folders(project), os.environ["PATH"]])


def _program_folders(project: Path) -> list[str]:
    return [str(Path(sys.executable).parent), str(project / "node_modules" / ".bin")]


def client_variables(endpoint: str, folder: Path) -> dict[str, str]:
    """Return the variables that the CDK CLI, the AWS CLI and the SDKs need. Their own files go into `folder`."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "CDK_DEFAULT_ACCOUNT": ACCOUNT,
        "CDK_DEFAULT_REGION": REGION,
        # The CLI remembers there which account a key belongs to. The key "test" must not mean this account elsewhere.
        "CDK_HOME": str(folder / "cdk-home"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        **LOOPBACK_WITHOUT_PROXY,
    }


def engine_variables(port: int, folder: Path, project: Path) -> dict[str, str]:
    """Return the variables that ministack reads."""
    return {
        "AUTH": "true",  # enforce IAM
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.5",  # AWS waits one minute, then two
        "TMPDIR": str(folder / "tmp"),
        "STATE_DIR": str(folder / "tmp" / "state"),
        "NODE_PATH": str(project / "node_modules"),  # Lambda's Node runtime contains the AWS SDK; here npm installs it
        "DOCKER_HOST": f"unix://{folder / 'no-docker'}",  # ministack would remove the person's own containers
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "",  # one environment of a function compiles its code for the next ones
        **LOOPBACK_WITHOUT_PROXY,
    }


def shell_file(variables: Mapping[str, str], project: Path) -> str:
    """Return the text of a file that a shell sources to reach the local AWS."""
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    hosts = " ".join(f'-e "s|^{host}|$here{path}|"' for host, path in HOSTS.items())
    programs = shlex.quote(os.pathsep.join(_program_folders(project)))
    return _SHELL_FILE.format(exports=exports, hosts=hosts, programs=programs)
