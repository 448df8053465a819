"""The CDK app: each example once, as a stack of its own."""

import os
import sys
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk

from config import from_context
from settings_checks import ConfigError
from stacks._app import new_app, tag_and_check
from stacks._bundling import ROOT
from stacks.api import ApiStack
from stacks.batch import BatchStack
from stacks.cron import CronStack
from stacks.ecr import EcrStack
from stacks.ecs_ec2 import EcsEc2Stack
from stacks.fargate import FargateStack
from stacks.lightsail import LightsailStack
from stacks.thumbnail import ThumbnailStack


def build_app(context: Mapping[str, Any] | None = None, *, outdir: str | None = None) -> cdk.App:
    """Return the app with all stacks, not yet synthesized.

    `context` has priority over cdk.json's, as `-c` has. Raises ConfigError for a bad setting.
    """
    app = new_app(context or {}, outdir)
    config = from_context(app.node.get_all_context())

    def stack(stem: str, **more: Any) -> dict[str, Any]:
        """Return a stack's parameters: the common ones, the example's settings (`cron_urls` as `urls`), and more."""
        return {
            "scope": app,
            "id": f"{config.prefix}-{stem.replace('_', '-')}",  # CloudFormation does not allow underscores
            "tags": {"project": "aws-compute-examples", "example": stem, "profile": config.profile},
            "termination_protection": config.retain_data,
            "retain_data": config.retain_data,
            **config.settings_of(stem),
            **more,
        }

    logs: dict[str, Any] = {"log_retention": config.log_retention}
    alarms: dict[str, Any] = {"alarm_email": config.alarm_email}
    more_alarms: dict[str, Any] = {**alarms, "watch_closely": config.watch_closely}
    processor: dict[str, Any] = {"architecture": config.architecture}
    web: dict[str, Any] = {**config.settings_of("web"), **processor, "container_insights": config.container_insights}

    ThumbnailStack(**stack("thumbnail"), **logs, **more_alarms)
    CronStack(**stack("cron", longest_gap=cdk.Duration.minutes(config.cron_period)), **logs, **more_alarms)
    ApiStack(**stack("api"), **logs, **more_alarms)
    EcrStack(**stack("ecr"), **logs, **processor, publish=config.publish_web_image)
    EcsEc2Stack(**stack("ecs_ec2"), **logs, **alarms, **web)
    FargateStack(**stack("fargate"), **logs, **alarms, **web)
    LightsailStack(**stack("lightsail", bundle=config.lightsail_plan), **alarms)
    BatchStack(**stack("batch"), **logs, **alarms, **processor, max_edge=config.thumbnail_max_edge)

    tag_and_check(app)
    return app


if __name__ == "__main__":
    try:
        # Without the CLI, write into the same folder.
        build_app(outdir=None if "CDK_OUTDIR" in os.environ else str(ROOT / "cdk.out")).synth()
    except ConfigError as error:
        sys.exit(f"error: {error}")
