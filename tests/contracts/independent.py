"""No stack needs another, or anything in the account but what CDK's bootstrap has made there."""

from collections.abc import Iterator

from tests.contracts.reading import walk
from tools.templates import Template

PROVIDED = ("/aws/service/", "/cdk-bootstrap/")
"""Parameters of Systems Manager that AWS keeps in every account, and those of the bootstrap."""


def faults(template: Template) -> list[str]:
    """What ties the stack to something else."""
    exported = [name for name, output in template.get("Outputs", {}).items() if "Export" in output]
    return [
        *(f"{name} is exported: the stack could not be changed while another uses it" for name in exported),
        *_imports(template),
        *_asks(template),
    ]


def _imports(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        for key, value in walk(resource):
            if key == "Fn::ImportValue":
                yield f"{name} imports {value}"
            if "{{resolve:" in str(value) and not isinstance(value, dict | list):
                yield f"{name} reads {value} when it is deployed"


def _asks(template: Template) -> Iterator[str]:
    for name, parameter in template.get("Parameters", {}).items():
        default = str(parameter.get("Default", ""))
        if not (parameter["Type"].startswith("AWS::SSM::Parameter::Value<") and default.startswith(PROVIDED)):
            yield f"the parameter {name} has to be given"
