"""The CDK app. It creates one independent stack for each example."""

import os
import sys
from collections.abc import Mapping
from typing import Any

import stacks._node  # noqa: F401 - first, because the next import starts Node

# isort: split
import aws_cdk as cdk
from aws_cdk.aws_logs import RetentionDays

from config import from_context
from settings_checks import ConfigError
from stacks._app import StackSelection, new_app, tag_and_check
from stacks._organization import follow_organization_rules, long_retention
from stacks._requirements import ROOT, BundlingError
from stacks._stores import removal_policy
from stacks.api import ApiStack
from stacks.batch import BatchStack
from stacks.cron import CronStack
from stacks.ecr import EcrStack
from stacks.ecs_ec2 import EcsEc2Stack
from stacks.fargate import FargateStack
from stacks.function_image import FunctionImageStack
from stacks.lightsail import LightsailStack
from stacks.thumbnail import ThumbnailStack
from stacks.websocket import WebsocketStack


def build_app(context: Mapping[str, Any] | None = None, *, outdir: str | None = None) -> cdk.App:
    """Return the app with all stacks, not yet synthesized.

    A value in `context` replaces the value with the same name in cdk.json, like the CLI's option `-c name=value`.
    The value `stacks` names the stacks to create: `-c stacks=compute-cron`. Without it, the app has all stacks.
    Raises ConfigError for a bad setting.
    """
    app = new_app(context or {}, outdir)
    config = from_context(app.node.get_all_context())
    selection = StackSelection(app, config.prefix)

    def stack_parameters(stem: str, **additional: Any) -> dict[str, Any]:
        """Return the parameters that every stack has, and the settings of the example with this `stem` (short name).

        For the stem `cron`, the setting `cron_urls` becomes `urls`. `additional` replaces parameters of the same name.
        """
        return {
            "scope": app,
            "id": selection.name_of(stem),
            "tags": {"project": "aws-compute-examples", "example": stem, "profile": config.profile},
            "termination_protection": config.retain_data,
            "retain_data": config.retain_data,
            **config.settings_of(stem),
            **additional,
        }

    retention: RetentionDays = (
        long_retention(config.log_retention) if config.organization_rules else config.log_retention
    )
    log_settings: dict[str, Any] = {"log_retention": retention}
    alarm_settings: dict[str, Any] = {"alarm_email": config.alarm_email}
    watch_settings: dict[str, Any] = {**log_settings, **alarm_settings, "watch_closely": config.watch_closely}
    processor_settings: dict[str, Any] = {"architecture": config.architecture}
    image_settings: dict[str, Any] = {**watch_settings, **processor_settings}
    network_settings: dict[str, Any] = {"availability_zones": config.availability_zones, "existing_vpc": config.vpc}
    job_settings: dict[str, Any] = {**log_settings, **alarm_settings, **processor_settings, **network_settings}
    web_settings: dict[str, Any] = {
        **config.settings_of("web"),
        **job_settings,
        "container_insights": config.container_insights,
    }
    longest_gap: cdk.Duration = cdk.Duration.minutes(config.cron_longest_gap_or_rate)
    max_edge: int = config.thumbnail_max_edge

    if selection.includes("thumbnail"):
        ThumbnailStack(**stack_parameters("thumbnail"), **watch_settings)
    if selection.includes("cron"):
        CronStack(**stack_parameters("cron", longest_gap=longest_gap), **watch_settings)
    if selection.includes("api"):
        ApiStack(**stack_parameters("api"), **watch_settings)
    if selection.includes("ecr"):
        EcrStack(**stack_parameters("ecr"), **log_settings, **processor_settings, publish=config.publish_web_image)
    if selection.includes("ecs_ec2"):
        EcsEc2Stack(**stack_parameters("ecs_ec2"), **web_settings)
    if selection.includes("fargate"):
        FargateStack(**stack_parameters("fargate"), **web_settings)
    if selection.includes("lightsail"):
        LightsailStack(**stack_parameters("lightsail", bundle=config.lightsail_bundle_or_default), **alarm_settings)
    if selection.includes("batch"):
        BatchStack(**stack_parameters("batch", max_edge=max_edge), **job_settings)
    if selection.includes("websocket"):
        WebsocketStack(**stack_parameters("websocket"), **watch_settings)
    if selection.includes("function_image"):
        FunctionImageStack(**stack_parameters("function_image", max_edge=max_edge), **image_settings)

    selection.check()
    if config.organization_rules:
        follow_organization_rules(app, removal=removal_policy(retain_data=config.retain_data))
    tag_and_check(app)
    return app


if __name__ == "__main__":
    try:
        # The CDK CLI sets CDK_OUTDIR. Without the CLI, the app uses the CLI's default folder.
        build_app(outdir=None if "CDK_OUTDIR" in os.environ else str(ROOT / "cdk.out")).synth()
    except (ConfigError, BundlingError) as error:
        sys.exit(f"error: {error}")
