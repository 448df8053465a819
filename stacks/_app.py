"""Parts of the app that do not belong to a single stack: the context, the tags and the checks."""

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from stacks._requirements import ROOT

REPRODUCIBLE_OUTPUT = {"aws:cdk:disable-creation-stack-traces": True}
"""A context value that keeps the paths of jsii's temporary files out of cdk.out, the output folder. So the output is
the same on every machine. The value is not in cdk.json, because the CLI would warn about it there."""


def new_app(context: Mapping[str, Any], outdir: str | None) -> cdk.App:
    """Return an app without stacks. It has the context in cdk.json, but values in `context` replace values there."""
    # The CLI passes the context in cdk.json to the app. `python app.py` and the tests run without the CLI.
    cdk_json = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))
    return cdk.App(context={**cdk_json["context"], **REPRODUCIBLE_OUTPUT, **context}, outdir=outdir)


def tag_and_check(app: cdk.App) -> None:
    """Tag every resource, and let cdk-nag check the app during synthesis. cdk-nag finds risks in templates."""
    # The CLI gives a stack's tags to CloudFormation, which adds them to every resource. But the template does not
    # contain these tags. This loop writes the tags into the template, because another tool may deploy it.
    for stack in app.node.children:
        if isinstance(stack, cdk.Stack):
            for key, value in stack.tags.tag_values().items():
                cdk.Tags.of(stack).add(key, value)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
