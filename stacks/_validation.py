"""Check the templates with CDK's validator and cdk-nag, but only the templates that have changed.

Both programs need more time than the rest of the synthesis. If a program finds nothing in a stack, this module writes
an empty file into `.build/validated`. Its name is a hash of everything that decides the result. The next synthesis
checks a stack again if there is no file with its hash. A finding writes no file, so every synthesis reports it.
"""

import datetime as dt
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii

CACHE = Path(__file__).resolve().parent.parent / ".build" / "validated"
PACKAGES = ("aws-cdk-lib", "cdk-nag")
"""The packages that contain the two programs."""

Check = Callable[[Sequence[cdk.PolicyValidationStack], cdk.IPolicyValidationContext], list[cdk.PolicyViolation]]
"""Returns what a program finds in some stacks of the app."""


def add_validation(app: cdk.App) -> None:
    """Let CDK's validator and cdk-nag check the app during synthesis. A finding stops the synthesis.

    The environment variable CDK_VALIDATION=false turns off CDK's validator, as it does without this module.
    """
    plugins: list[Any] = [_ChangedStacks("AwsSolutions", _run_cdk_nag)]
    if os.environ.get("CDK_VALIDATION") != "false":
        plugins.append(_ChangedStacks(cdk.CloudFormationValidatePlugin.PLUGIN_NAME, _run_cloudformation_validator))
    cdk.Validations.of(app).add_plugins(*plugins)


@jsii.implements(cdk.IPolicyValidationPlugin)
class _ChangedStacks:
    """Runs a program for the stacks that it has not checked yet. CDK calls `validate` after it wrote the templates."""

    def __init__(self, name: str, check: Check) -> None:
        self._name = name
        self._check = check

    @property
    def name(self) -> str:
        """The name of the program in reports and in acknowledgements."""
        return self._name

    def validate(self, context: cdk.IPolicyValidationContext) -> cdk.PolicyValidationPluginReport:
        """Return the findings in the stacks that have changed."""
        common = [self._name, *map(version, PACKAGES), _digest(Path(__file__)), _acknowledged_by(context.app_construct)]
        files = {stack.template_path: _file_for(stack, common) for stack in context.stack_templates}
        changed = [stack for stack in context.stack_templates if not files[stack.template_path].exists()]
        violations = self._check(changed, context) if changed else []
        if changed and not violations:
            for stack in changed:
                _write(files[stack.template_path])
        return cdk.PolicyValidationPluginReport(success=not violations, violations=violations)


def _file_for(stack: cdk.PolicyValidationStack, common: list[str]) -> Path:
    """Return the file that exists if a program has found nothing in this stack.

    The file of the metadata contains the acknowledgements. A rule can compare the end of support of a version with
    today's date. So each day has its own folder.
    """
    template = Path(stack.template_path)
    metadata = template.with_name(template.name.replace(".template.json", ".metadata.json"))
    environment = [str(stack.account_id), str(stack.region), stack.stack_construct_path]
    parts = [*common, *environment, _digest(template), _digest(metadata)]
    return CACHE / _today() / hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _acknowledged_by(app: Any) -> str:
    """Return what the app itself acknowledges. It applies to all stacks, but is not in the metadata of any stack."""
    return json.dumps([[entry.type, entry.data] for entry in app.node.metadata])


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""


def _today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()


def _write(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    for folder in CACHE.iterdir():
        if folder.name < file.parent.name:
            shutil.rmtree(folder, ignore_errors=True)


# -- the two programs


def _run_cdk_nag(
    stacks: Sequence[cdk.PolicyValidationStack], context: cdk.IPolicyValidationContext
) -> list[cdk.PolicyViolation]:
    """Return the findings of cdk-nag. It reads the constructs of a stack, not its template."""
    from cdk_nag import AwsSolutionsChecks  # noqa: PLC0415 - the import takes 0.2 s, and most syntheses do not need it

    checks = AwsSolutionsChecks()
    app: Any = context.app_construct
    return [
        violation
        for stack in stacks
        for violation in checks.validate_scope(_find_construct(app, stack.stack_construct_path)).violations
    ]


def _find_construct(app: Any, path: str) -> Any:
    return functools.reduce(lambda construct, name: construct.node.find_child(name), path.split("/"), app)


def _run_cloudformation_validator(
    stacks: Sequence[cdk.PolicyValidationStack], context: cdk.IPolicyValidationContext
) -> list[cdk.PolicyViolation]:
    """Return the findings of CDK's validator. It reads the templates."""
    some_stacks: Any = _SomeStacks(stacks, context)  # has the properties that the validator reads, not all of them
    return list(_cloudformation_validator().validate(some_stacks).violations)


@functools.cache
def _cloudformation_validator() -> cdk.CloudFormationValidatePlugin:
    """Return the validator. A process creates it only once, because it takes a second and much memory."""
    return cdk.CloudFormationValidatePlugin()


@jsii.implements(cdk.IPolicyValidationContext)
class _SomeStacks:
    """The parameter of the validator: the context from CDK, but with these stacks only."""

    def __init__(self, stacks: Sequence[cdk.PolicyValidationStack], context: cdk.IPolicyValidationContext) -> None:
        self._stacks = list(stacks)
        self._context = context

    @property
    def stack_templates(self) -> list[cdk.PolicyValidationStack]:
        """The stacks to check."""
        return self._stacks

    @property
    def template_paths(self) -> list[str]:
        """The templates of the stacks."""
        return [stack.template_path for stack in self._stacks]

    @property
    def app_construct(self) -> Any:
        """The app."""
        return self._context.app_construct
