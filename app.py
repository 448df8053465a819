"""The CDK app: every example once, as a stack of its own."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from config import ConfigError, from_context
from stacks.api import ApiStack
from stacks.batch import BatchStack
from stacks.cron import CronStack
from stacks.ecr import EcrStack
from stacks.ecs_ec2 import EcsEc2Stack
from stacks.fargate import FargateStack
from stacks.lightsail import LightsailStack
from stacks.thumbnail import ThumbnailStack

ROOT = Path(__file__).resolve().parent
PROJECT = "aws-compute-examples"
REPEATABLE = {"aws:cdk:disable-creation-stack-traces": True}
"""Keeps the paths of jsii's temporary files out of the assembly. In cdk.json the CLI would warn of it."""


def build_app(context: Mapping[str, Any] | None = None, *, outdir: str | None = None) -> cdk.App:
    """The app with all stacks, not yet synthesized.

    `context` comes on top of cdk.json's, as `-c` does. Raises ConfigError for a bad setting.
    """
    app = cdk.App(context={**_cdk_json_context(), **REPEATABLE, **(context or {})}, outdir=outdir)
    config = from_context(app.node.get_all_context())

    def stack(stem: str) -> dict[str, Any]:
        return {
            "id": f"{config.prefix}-{stem.replace('_', '-')}",  # CloudFormation takes no underscores
            "tags": {"project": PROJECT, "example": stem, "profile": config.profile},
            "termination_protection": config.retain_data,
            "retain_data": config.retain_data,
        }

    logged: dict[str, Any] = {"log_retention": config.log_retention}
    watched: dict[str, Any] = {"alarm_email": config.alarm_email}
    closely: dict[str, Any] = {**watched, "watch_closely": config.watch_closely}

    ThumbnailStack(
        app,
        **stack("thumbnail"),
        **logged,
        **closely,
        description="Lambda: a picture put into S3 becomes a thumbnail in S3 and an item in DynamoDB",
        max_edge=config.thumbnail_max_edge,
        concurrency=config.thumbnail_concurrency,
    )
    CronStack(
        app,
        **stack("cron"),
        **logged,
        **closely,
        description="Lambda: a schedule checks web sites and writes the results to DynamoDB",
        urls=config.cron_urls,
        schedule=config.cron_schedule,
        time_zone=config.cron_time_zone,
        period=cdk.Duration.minutes(config.cron_period_minutes),
        allow_private=config.cron_allow_private,
    )
    ApiStack(
        app,
        **stack("api"),
        **logged,
        **closely,
        description="API Gateway: a REST API for notes, with keys, throttling and a dashboard, on Lambda and DynamoDB",
        allowed_origin=config.api_allowed_origin,
    )

    EcrStack(
        app,
        **stack("ecr"),
        **logged,
        description="ECR: a private registry, with the image of the web service in it",
        architecture=config.architecture,
        publish=config.publish_web_image,
    )
    web: dict[str, Any] = {
        "image": config.web_image,
        "architecture": config.architecture,
        "certificate_arn": config.web_certificate_arn,
        "container_insights": config.container_insights,
    }
    EcsEc2Stack(
        app,
        **stack("ecs_ec2"),
        **logged,
        **watched,
        **web,
        description="ECS on EC2: a web service in containers on an Auto Scaling group, behind a load balancer",
    )
    FargateStack(
        app,
        **stack("fargate"),
        **logged,
        **watched,
        **web,
        description="Fargate: the same web service in containers without instances, behind a load balancer",
    )
    LightsailStack(
        app,
        **stack("lightsail"),
        **watched,
        description="Lightsail: a virtual server with a static address, a firewall, snapshots and alarms",
        blueprint=config.lightsail_blueprint,
        bundle=config.lightsail_plan,
        ssh_cidr=config.lightsail_ssh_cidr,
        disk=config.lightsail_disk,
        database=config.lightsail_database,
        bucket=config.lightsail_bucket,
    )

    BatchStack(
        app,
        **stack("batch"),
        **logged,
        **watched,
        description="Batch: an array job makes the thumbnails of a whole bucket, on Spot instances",
        architecture=config.architecture,
        max_vcpus=config.batch_max_vcpus,
        max_edge=config.thumbnail_max_edge,
        monthly_budget=config.batch_monthly_budget,
        image=config.batch_image,
        schedule=config.batch_schedule,
    )

    _tag_resources(app)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def _tag_resources(app: cdk.App) -> None:
    # The stack's own tags reach everything that CloudFormation makes, CDK's helper functions too, but stand only in
    # the assembly: a template that is deployed by other means carries these.
    for stack in app.node.children:
        if isinstance(stack, cdk.Stack):
            for key, value in stack.tags.tag_values().items():
                cdk.Tags.of(stack).add(key, value)


def _cdk_json_context() -> dict[str, Any]:
    # The CLI passes these by itself. Read here too, `python app.py` and the tests see the same feature flags.
    cdk_json = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))
    return dict(cdk_json["context"])


def main() -> None:
    """Synthesize into the CLI's folder, or into cdk.out when run without the CLI."""
    try:
        build_app(outdir=None if "CDK_OUTDIR" in os.environ else str(ROOT / "cdk.out")).synth()
    except ConfigError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
