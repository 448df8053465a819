"""The process that is the local AWS: ministack, extended. Started by local.aws, which sets its environment."""

import argparse
import functools
import json
import os
import sys
from pathlib import Path

import ministack.app

from local import site
from local.cdk_docker import in_the_engine
from local.containers import Tool, base_image
from local.extension import digest_of, extend, record_permissions, run_tasks
from local.tasks import Runner


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stock", action="store_true", help="as ministack comes, for the tests of the extension")
    parser.add_argument("--site-port", type=int, required=True, help="where the site for the cron example is")
    parser.add_argument("--site-down", type=Path, required=True, help="the file that takes the site down")
    parser.add_argument("--tool", required=True, help="the container tool that runs tasks, as JSON")
    parser.add_argument("--folder", type=Path, required=True, help="where the container tool's files go")
    parser.add_argument("--permissions", type=Path, required=True, help="the file that tells which were used")
    arguments = parser.parse_args()
    if not arguments.stock:
        extend()
        record_permissions(arguments.permissions)
        run_tasks(
            Runner(
                Tool.from_json(json.loads(arguments.tool)),
                arguments.folder,
                web_image=base_image(),
                local_name=functools.partial(in_the_engine, port=int(os.environ["GATEWAY_PORT"])),
                digest=digest_of,
            )
        )
    site.serve(arguments.site_port, arguments.site_down)
    sys.argv = ["ministack"]  # its main() reads options of its own
    ministack.app.main()


if __name__ == "__main__":
    main()
