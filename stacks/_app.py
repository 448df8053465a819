"""Parts of the app that do not belong to a single stack: the context, the tags and the checks."""

import fnmatch
import json
import re
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk

from settings_checks import ConfigError
from stacks._requirements import ROOT
from stacks._validation import add_validation

REPRODUCIBLE_OUTPUT = {"aws:cdk:disable-creation-stack-traces": True}
"""A context value that keeps the paths of jsii's temporary files out of cdk.out, the output folder. So the output is
the same on every machine. The value is not in cdk.json, because the CLI would warn about it there."""


def new_app(context: Mapping[str, Any], outdir: str | None) -> cdk.App:
    """Return an app without stacks. It has the context in cdk.json, but values in `context` replace values there."""
    # The CLI passes the context in cdk.json to the app. `python app.py` and the tests run without the CLI.
    cdk_json = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))
    return cdk.App(
        context={**cdk_json["context"], **REPRODUCIBLE_OUTPUT, **context},
        outdir=outdir,
        builtin_cloud_formation_validation=False,  # stacks/_validation.py runs the same validator
    )


class StackSelection:
    """The stacks that `-c stacks=compute-cron,compute-api` names. `*` stands for any text. Without it, all stacks.

    The CDK CLI supports more patterns, such as `compute-{cron,api}`. For such a pattern, the app creates all stacks,
    and the CLI selects them.
    """

    def __init__(self, app: cdk.App, prefix: str) -> None:
        names = str(app.node.try_get_context("stacks") or "*")
        self._prefix = prefix
        self._patterns = ["*"] if re.search(r"[^\w*, -]", names) else names.replace(",", " ").split()
        self._names: list[str] = []

    def name_of(self, stem: str) -> str:
        """Return the name of an example's stack. CloudFormation does not allow underscores."""
        return f"{self._prefix}-{stem.replace('_', '-')}"

    def includes(self, stem: str) -> bool:
        """Return whether the app creates the stack of this example."""
        self._names.append(self.name_of(stem))
        return any(fnmatch.fnmatchcase(self.name_of(stem), pattern) for pattern in self._patterns)

    def check(self) -> None:
        """Raise ConfigError for a name that no stack has. Call this after `includes` for every example."""
        for pattern in self._patterns:
            if not fnmatch.filter(self._names, pattern):
                raise ConfigError(f"stacks: no stack is called {pattern!r}. The stacks are: {', '.join(self._names)}.")


def tag_and_check(app: cdk.App) -> None:
    """Tag every resource, and let CDK's validator and cdk-nag check the app during synthesis."""
    # The CLI gives a stack's tags to CloudFormation, which adds them to most resources. But the template does not
    # contain these tags. This loop writes the tags into the template, because another tool may deploy it.
    for stack in app.node.children:
        if isinstance(stack, cdk.Stack):
            for key, value in stack.tags.tag_values().items():
                cdk.Tags.of(stack).add(key, value)
    add_validation(app)
