"""Environment variables with which all programs use the local AWS, and never the user's own AWS account."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from localaws.urls import HOSTS

ACCOUNT = "000000000000"
REGION = "us-east-1"
ACCESS_KEY = "test"
"""The access key id of the engine's root user, and also its secret access key."""

LOOPBACK_WITHOUT_PROXY = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

_SHELL_FILE = r"""# Type `.` and the path of this file in a shell. Then aws, cdk, curl and boto3 use the local AWS.
{exports}
export PATH={programs}:"$PATH"
# Version 1 of the AWS CLI does not use AWS_ENDPOINT_URL for SQS, so pass the URL as an option.
aws() {{ command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }}
# Replace the host names of API Gateway and of load balancers, because they are addresses of real AWS.
curl() {{
  here=$AWS_ENDPOINT_URL
  for argument do
    shift
    set -- "$@" "$(printf %s "$argument" | sed -E {hosts})"
  done
  command curl "$@"
}}
"""


def inherited_variables() -> dict[str, str]:
    """Return the variables of this process, except those that configure AWS, the CDK or the engine."""
    excluded_prefixes = ("AWS_", "CDK_", "MINISTACK_", "LAMBDA_", "LOCALSTACK_", "LOCAL_AWS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(excluded_prefixes)}


def search_path(project: Path) -> str:
    """Return a PATH that begins with the folder of this Python and with the programs in `node_modules`."""
    return os.pathsep.join([*_program_folders(project), os.environ["PATH"]])


def _program_folders(project: Path) -> list[str]:
    return [str(Path(sys.executable).parent), str(project / "node_modules" / ".bin")]


def client_variables(endpoint: str, folder: Path) -> dict[str, str]:
    """Return the variables that the CDK CLI, the AWS CLI and the SDKs need. The CDK CLI keeps its files in `folder`."""
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
        # The CDK CLI stores in CDK_HOME that the key "test" belongs to this account. The user's own CDK_HOME must not
        # contain this entry, because another local AWS may use the same key for another account.
        "CDK_HOME": str(folder / "cdk-home"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        **LOOPBACK_WITHOUT_PROXY,
    }


def engine_variables(port: int, folder: Path, project: Path) -> dict[str, str]:
    """Return the variables for the engine process, such as ministack's settings."""
    return {
        "AUTH": "true",  # enforce IAM
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.5",  # AWS waits one minute before the first retry, and then two
        "TMPDIR": str(folder / "tmp"),
        "STATE_DIR": str(folder / "tmp" / "state"),
        # Lambda's Node runtime contains the AWS SDK. On this machine, npm installs the SDK in node_modules.
        "NODE_PATH": str(project / "node_modules"),
        # With the real address of docker's daemon, ministack would remove the user's own containers.
        "DOCKER_HOST": f"unix://{folder / 'no-docker'}",
        "PYTHONUNBUFFERED": "1",
        # The first process of a function stores the compiled code, so the next processes start faster.
        "PYTHONDONTWRITEBYTECODE": "",
        **LOOPBACK_WITHOUT_PROXY,
    }


def shell_file(variables: Mapping[str, str], project: Path) -> str:
    """Return the text of the file `env`, which sets the variables in a shell."""
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    hosts = " ".join(f'-e "s|^{host}|$here{path}|"' for host, path in HOSTS.items())
    programs = shlex.quote(os.pathsep.join(_program_folders(project)))
    return _SHELL_FILE.format(exports=exports, hosts=hosts, programs=programs)
