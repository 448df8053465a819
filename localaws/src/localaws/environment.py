"""The environment variables that lead to the local AWS, and away from the person's own."""

import os
import shlex
import sys
from pathlib import Path

from localaws.urls import HOSTS

ACCOUNT = "000000000000"
REGION = "us-east-1"
ACCESS_KEY = "test"
"""The engine's root user, key and secret alike."""

LOOPBACK_WITHOUT_PROXY = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

_FILE = r"""# `. ` this file, and `aws`, `cdk`, `curl` and boto3 talk to the local AWS.
{exports}
export PATH={tools}:"$PATH"
# Version 1 of the AWS CLI takes no endpoint for SQS from the environment.
aws() {{ command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }}
# The host names of API Gateway and of load balancers lead to AWS.
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
    return os.pathsep.join([*_programs(project), os.environ["PATH"]])


def _programs(project: Path) -> list[str]:
    return [str(Path(sys.executable).parent), str(project / "node_modules" / ".bin")]


def of_clients(endpoint: str, folder: Path) -> dict[str, str]:
    """What the CDK CLI, the AWS CLI and the SDKs need; their own files are in `folder`."""
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
        # The CLI remembers there which account a key belongs to: "test" must not come to mean this one elsewhere.
        "CDK_HOME": str(folder / "cdk-home"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        **LOOPBACK_WITHOUT_PROXY,
    }


def of_engine(port: int, folder: Path, project: Path) -> dict[str, str]:
    """What ministack reads."""
    return {
        "AUTH": "true",  # enforce IAM
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.5",  # AWS waits a minute, then two
        "TMPDIR": str(folder / "tmp"),
        "STATE_DIR": str(folder / "tmp" / "state"),
        "NODE_PATH": str(project / "node_modules"),  # Lambda's Node runtime has the AWS SDK; here it lies there
        "DOCKER_HOST": f"unix://{folder / 'no-docker'}",  # it would tidy up among the person's containers
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "",  # whatever the person has: an environment of a function compiles for the next
        **LOOPBACK_WITHOUT_PROXY,
    }


def file_for_shells(endpoint: str, folder: Path, project: Path) -> str:
    """The text of a file that a shell sources to reach the local AWS."""
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in of_clients(endpoint, folder).items())
    hosts = " ".join(f'-e "s|^{host}|$here{path}|"' for host, path in HOSTS.items())
    return _FILE.format(exports=exports, hosts=hosts, tools=shlex.quote(os.pathsep.join(_programs(project))))
