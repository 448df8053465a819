"""Functions that read single values from a template."""

from typing import Any

from tools.templates import Template, resources


def logical_id(reference: Any) -> str:
    """Return the logical id that a Ref or Fn::GetAtt refers to."""
    name: str = reference["Ref"] if "Ref" in reference else reference["Fn::GetAtt"][0]
    return name


def function_with_handler(template: Template, handler: str) -> dict[str, Any]:
    """Return the properties of the first Lambda function that has this handler. Functions of one handler are equal."""
    functions = [function["Properties"] for function in resources(template, "AWS::Lambda::Function").values()]
    found: dict[str, Any]
    found, *_ = [properties for properties in functions if properties.get("Handler") == handler]
    return found


def image_function(template: Template) -> dict[str, Any]:
    """Return the properties of the only Lambda function whose code is an image."""
    functions = [function["Properties"] for function in resources(template, "AWS::Lambda::Function").values()]
    found: dict[str, Any]
    (found,) = [properties for properties in functions if properties.get("PackageType") == "Image"]
    return found
