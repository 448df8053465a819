"""No stack needs another stack. In the account it needs only the resources of CDK's bootstrap."""

from collections.abc import Iterator

from tests.contracts.reading import walk
from tools.templates import Template

PROVIDED = ("/aws/service/", "/cdk-bootstrap/")
"""Parameters of Systems Manager that exist in every account: those of AWS and those of the bootstrap."""


def faults(template: Template) -> list[str]:
    """Return what connects the stack to another stack or resource."""
    exported = [name for name, output in template.get("Outputs", {}).items() if "Export" in output]
    return [
        *(f"{name} is exported: it cannot be changed while another stack imports it" for name in exported),
        *_imports(template),
        *_asks(template),
    ]


def _imports(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        for key, value in walk(resource):
            if key == "Fn::ImportValue":
                yield f"{name} imports {value}"
            if "{{resolve:" in str(value) and not isinstance(value, dict | list):
                yield f"{name} reads {value} during the deployment"


def _asks(template: Template) -> Iterator[str]:
    for name, parameter in template.get("Parameters", {}).items():
        default = str(parameter.get("Default", ""))
        if not (parameter["Type"].startswith("AWS::SSM::Parameter::Value<") and default.startswith(PROVIDED)):
            yield f"the parameter {name} has no value that exists in every account"
