"""Run the engine: ministack with the patches. localaws.aws starts this module in a process with suitable variables."""

import argparse
import functools
import json
import os
import sys
import threading
from pathlib import Path

import ministack.app
from ministack.core import responses

from localaws import patches, site
from localaws.container_tool import Tool
from localaws.docker_for_cdk import engine_image_name
from localaws.function_images import FunctionImages
from localaws.settings import Settings
from localaws.task_runner import TaskRunner

_USUAL_SERVICES = (
    *("sts", "cloudformation", "s3", "iam", "ssm", "ecr", "lambda", "ec2", "ecs", "elasticloadbalancing", "dynamodb"),
    *("logs", "monitoring", "sqs", "sns", "events", "scheduler", "apigateway", "cognito-idp", "batch", "lightsail"),
)
"""Services that many apps use, by ministack's names. The CDK CLI needs the first six before the others."""


def main() -> None:
    """Parse the command line, apply the patches, and answer requests until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--stock",
        action="store_true",
        help="do not apply the patches; the tests compare this engine with the patched one",
    )
    parser.add_argument("--site-port", type=int, required=True, help="port of the small web site")
    parser.add_argument("--site-down", type=Path, required=True, help="while this file exists, the web site is down")
    parser.add_argument("--tool", required=True, help="the container tool that runs tasks, as JSON")
    parser.add_argument("--folder", type=Path, required=True, help="folder of the local AWS")
    parser.add_argument(
        "--permissions", type=Path, required=True, help="file that lists the permissions that roles use"
    )
    parser.add_argument("--settings", type=Settings.from_json, required=True, help="settings of the project, as JSON")
    arguments = parser.parse_args()
    if not arguments.stock:
        tool, folder, settings = Tool.from_json(json.loads(arguments.tool)), arguments.folder, arguments.settings
        name_for_tool = functools.partial(engine_image_name, port=int(os.environ["GATEWAY_PORT"]))
        runner = TaskRunner(tool, folder, settings, name_for_tool=name_for_tool, digest_of_image=patches.image_digest)
        stand_ins = {stand_in.image: stand_in for stand_in in settings.stand_ins}
        function_images = FunctionImages(tool, folder, stand_ins, runner.images, name_for_tool)
        patches.apply(runner, function_images, settings, arguments.permissions)
    site.serve(arguments.site_port, arguments.site_down)
    threading.Thread(target=_load_service_models, daemon=True).start()
    sys.argv = ["ministack"]  # ministack.app.main also parses the command line
    ministack.app.main()


def _load_service_models() -> None:
    # ministack needs botocore's model of a service for its first answer, and all other answers wait for it. After the
    # start, the CDK CLI still synthesizes the app, so the engine has time.
    for service in _USUAL_SERVICES:
        responses.expected_success_content_type(service, "application/json")


if __name__ == "__main__":
    main()
