"""How the templates are read."""

from typing import Any

from scripts.costs.prices import Template


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """The resources of one CloudFormation type, by logical id."""
    return {name: found for name, found in template["Resources"].items() if found["Type"] == kind}


def the_name(reference: Any) -> str:
    """The logical id that a Ref or Fn::GetAtt leads to."""
    name: str = reference["Ref"] if "Ref" in reference else reference["Fn::GetAtt"][0]
    return name


def function(template: Template, handler: str) -> dict[str, Any]:
    """The properties of the function with this handler."""
    found: dict[str, Any]
    (found,) = [
        one["Properties"]
        for one in of_type(template, "AWS::Lambda::Function").values()
        if one["Properties"]["Handler"] == handler
    ]
    return found
