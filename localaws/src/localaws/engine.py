"""The process that is the local AWS: ministack, extended. Started by localaws.aws, which sets its environment."""

import argparse
import functools
import json
import os
import sys
from pathlib import Path

import ministack.app

from localaws import site
from localaws.container_tool import Tool
from localaws.docker_for_cdk import in_the_engine
from localaws.patches import digest_of, extend, record_permissions, run_tasks
from localaws.settings import Settings
from localaws.task_runner import Runner


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stock", action="store_true", help="as ministack comes, for the tests of the extension")
    parser.add_argument("--site-port", type=int, required=True, help="where the site for the cron example is")
    parser.add_argument("--site-down", type=Path, required=True, help="the file that takes the site down")
    parser.add_argument("--tool", required=True, help="the container tool that runs tasks, as JSON")
    parser.add_argument("--folder", type=Path, required=True, help="where the container tool's files go")
    parser.add_argument("--permissions", type=Path, required=True, help="the file that tells which were used")
    parser.add_argument("--settings", type=Settings.from_json, required=True, help="those of the project, as JSON")
    arguments = parser.parse_args()
    if not arguments.stock:
        extend(arguments.settings.seconds_a_minute)
        record_permissions(arguments.permissions)
        run_tasks(
            Runner(
                Tool.from_json(json.loads(arguments.tool)),
                arguments.folder,
                arguments.settings,
                local_name=functools.partial(in_the_engine, port=int(os.environ["GATEWAY_PORT"])),
                digest=digest_of,
            )
        )
    site.serve(arguments.site_port, arguments.site_down)
    sys.argv = ["ministack"]  # its main() reads options of its own
    ministack.app.main()


if __name__ == "__main__":
    main()
