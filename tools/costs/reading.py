"""How the templates are read."""

from typing import Any

from tools.templates import Template, resources


def the_name(reference: Any) -> str:
    """The logical id that a Ref or Fn::GetAtt leads to."""
    name: str = reference["Ref"] if "Ref" in reference else reference["Fn::GetAtt"][0]
    return name


def function(template: Template, handler: str) -> dict[str, Any]:
    """The properties of the function with this handler."""
    found: dict[str, Any]
    (found,) = [
        one["Properties"]
        for one in resources(template, "AWS::Lambda::Function").values()
        if one["Properties"]["Handler"] == handler
    ]
    return found
