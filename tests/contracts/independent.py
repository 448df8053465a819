"""Every stack can be deployed alone. In the account, it needs only the resources that `cdk bootstrap` creates."""

from collections.abc import Iterator

from tests.contracts.reading import walk
from tools.templates import Template

PARAMETERS_OF_EVERY_ACCOUNT = ("/aws/service/", "/cdk-bootstrap/")
"""Prefixes of the SSM parameters that AWS provides, and of those that `cdk bootstrap` creates."""


def faults(template: Template) -> list[str]:
    """Return the exports, imports and parameters that connect the stack to another stack or to the account."""
    exported = [name for name, output in template.get("Outputs", {}).items() if "Export" in output]
    return [
        *(f"{name} is exported: it cannot be changed while another stack imports it" for name in exported),
        *_imports(template),
        *_parameters(template),
    ]


def _imports(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        for key, value in walk(resource):
            if key == "Fn::ImportValue":
                yield f"{name} imports {value}"
            if "{{resolve:" in str(value) and not isinstance(value, dict | list):
                yield f"{name} reads {value} during the deployment"


def _parameters(template: Template) -> Iterator[str]:
    for name, parameter in template.get("Parameters", {}).items():
        default = str(parameter.get("Default", ""))
        if not (
            parameter["Type"].startswith("AWS::SSM::Parameter::Value<")
            and default.startswith(PARAMETERS_OF_EVERY_ACCOUNT)
        ):
            yield f"the parameter {name} has no value that exists in every account"
