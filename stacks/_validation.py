"""Validate the templates with CDK's validator and cdk-nag, but not again if nothing has changed.

Both programs need a large part of the time of a synthesis. If a program finds nothing in the templates, this module
writes an empty file into `.build/validated`. The name of the file contains a hash of everything that decides the
result. If the file exists, the next synthesis does not run the program. After an error or a warning there is no file,
so every synthesis reports it again.
"""

import datetime as dt
import functools
import hashlib
import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii

CACHE = Path(__file__).resolve().parent.parent / ".build" / "validated"
PACKAGES = ("aws-cdk-lib", "cdk-nag")
"""The packages that contain the two programs and their rules."""


def add_validation(app: cdk.App) -> None:
    """Let CDK's validator and cdk-nag check the app during synthesis. An error stops the synthesis.

    The environment variable CDK_VALIDATION=false turns off CDK's validator, as it does without this module.
    """
    plugins: list[Any] = [_OncePerChange("AwsSolutions", _cdk_nag)]
    if os.environ.get("CDK_VALIDATION") != "false":
        plugins.insert(0, _OncePerChange(cdk.CloudFormationValidatePlugin.PLUGIN_NAME, _cloudformation_validator))
    cdk.Validations.of(app).add_plugins(*plugins)


def _cdk_nag() -> Any:
    from cdk_nag import AwsSolutionsChecks  # noqa: PLC0415 - the import takes 0.2 s, and most syntheses do not need it

    return AwsSolutionsChecks()


@functools.cache
def _cloudformation_validator() -> Any:
    """Return CDK's validator. A process creates it only once, because it takes a second and much memory."""
    return cdk.CloudFormationValidatePlugin()


@jsii.implements(cdk.IPolicyValidationPlugin)
class _OncePerChange:
    """Runs a validation plugin, but not for templates in which it has found nothing before."""

    def __init__(self, name: str, create_plugin: Callable[[], Any]) -> None:
        self._name = name
        self._create_plugin = create_plugin

    @property
    def name(self) -> str:
        """The name of the plugin in reports and in acknowledgements."""
        return self._name

    def validate(self, context: cdk.IPolicyValidationContext) -> cdk.PolicyValidationPluginReport:
        """Return what the plugin reports. CDK calls this method after it has written the templates."""
        mark = _mark_for(self._name, context)
        if mark.exists():
            return cdk.PolicyValidationPluginReport(success=True, violations=[])
        report: cdk.PolicyValidationPluginReport = self._create_plugin().validate(context)
        if report.success and not report.violations:
            _write(mark)
        return report


def _mark_for(name: str, context: cdk.IPolicyValidationContext) -> Path:
    """Return the file that exists if the plugin has found nothing in these templates today.

    A rule can compare the end of support of a version with today's date, so the name of the file contains the date.
    """
    app: Any = context.app_construct
    # What the app itself acknowledges applies to all stacks, but it is not in a file of a stack.
    parts: list[Any] = [name, *map(version, PACKAGES), _digest(Path(__file__))]
    parts += [[entry.type, entry.data] for entry in app.node.metadata]
    for stack in context.stack_templates:
        template = Path(stack.template_path)
        # The file of the metadata contains what the stack's constructs acknowledge.
        files = sorted(template.parent.glob(template.name.replace(".template.json", ".*.json")))
        parts += [stack.stack_construct_path, stack.account_id, stack.region, *map(_digest, files)]
    return CACHE / f"{_today()}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()


def _write(mark: Path) -> None:
    mark.parent.mkdir(parents=True, exist_ok=True)
    for old in CACHE.iterdir():
        if not old.name.startswith(_today()):
            old.unlink(missing_ok=True)
    mark.touch()
