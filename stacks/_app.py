"""The parts of the app that no stack owns: the context, the tags and the checks."""

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from stacks._bundling import ROOT

REPRODUCIBLE = {"aws:cdk:disable-creation-stack-traces": True}
"""Keeps the paths of jsii's temporary files out of the assembly. The CLI would warn about this key in cdk.json."""


def new_app(context: Mapping[str, Any], outdir: str | None) -> cdk.App:
    """Return an app without stacks. It has cdk.json's context; `context` has priority over that."""
    # The CLI passes cdk.json's feature flags. `python app.py` and the tests have no CLI.
    cdk_json = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))
    return cdk.App(context={**cdk_json["context"], **REPRODUCIBLE, **context}, outdir=outdir)


def tag_and_check(app: cdk.App) -> None:
    """Tag every resource, and have cdk-nag check the app when it is synthesized."""
    # CloudFormation gives a stack's tags to every resource, but they stand only in the assembly. The tags in the
    # template also reach the resources when another tool deploys it.
    for stack in app.node.children:
        if isinstance(stack, cdk.Stack):
            for key, value in stack.tags.tag_values().items():
                cdk.Tags.of(stack).add(key, value)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
