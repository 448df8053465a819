"""The engine process: ministack with the patches. localaws.aws starts it and sets its environment."""

import argparse
import functools
import json
import os
import sys
from pathlib import Path

import ministack.app

from localaws import patches, site
from localaws.container_tool import Tool
from localaws.docker_for_cdk import engine_image_name
from localaws.settings import Settings
from localaws.task_runner import TaskRunner


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stock", action="store_true", help="without the patches, for their tests")
    parser.add_argument("--site-port", type=int, required=True, help="port of the web site beside AWS")
    parser.add_argument("--site-down", type=Path, required=True, help="the site is down while this file exists")
    parser.add_argument("--tool", required=True, help="the container tool that runs tasks, as JSON")
    parser.add_argument("--folder", type=Path, required=True, help="where the files of the container tool go")
    parser.add_argument("--permissions", type=Path, required=True, help="file for the permissions that roles use")
    parser.add_argument("--settings", type=Settings.from_json, required=True, help="settings of the project, as JSON")
    arguments = parser.parse_args()
    if not arguments.stock:
        runner = TaskRunner(
            Tool.from_json(json.loads(arguments.tool)),
            arguments.folder,
            arguments.settings,
            local_name=functools.partial(engine_image_name, port=int(os.environ["GATEWAY_PORT"])),
            digest=patches.image_digest,
        )
        patches.apply(runner, arguments.settings.seconds_per_minute, arguments.permissions)
    site.serve(arguments.site_port, arguments.site_down)
    sys.argv = ["ministack"]  # its main() parses the command line too
    ministack.app.main()


if __name__ == "__main__":
    main()
