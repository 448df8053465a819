"""Give the image functions in the local AWS the code in lambda_src/, without a deployment of their stack."""

import json
import re
from collections.abc import Callable, Collection
from typing import Any

_REFERENCE = re.compile(r"(?::|@sha256:)[0-9a-f]{64}")
"""The tag or the digest of an image in a template. The tag of an image of the CDK CLI is a hash of its files."""


def image_functions(lambda_: Any) -> list[str]:
    """Return the names of all functions whose code is an image. `lambda_` is a Lambda client."""
    pages = lambda_.get_paginator("list_functions").paginate()
    return [each["FunctionName"] for page in pages for each in page["Functions"] if each["PackageType"] == "Image"]


def run_images(lambda_: Any, new_image: Callable[[str], str]) -> list[str]:
    """Give each image function a new image, and return the names of the functions.

    `new_image` receives the URI of the repository of the image, and returns the URI of the new image. CloudFormation
    does not know this image: see `use_deployed_images`.
    """
    names = image_functions(lambda_)
    for name in names:
        repository = re.split(r"[:@]", _image(lambda_, name))[0]
        lambda_.update_function_code(FunctionName=name, ImageUri=new_image(repository))
    return names


def use_deployed_images(cloudformation: Any, lambda_: Any, stacks: Collection[str]) -> list[str]:
    """Run the images in the templates of these stacks if functions run other ones. Return the names of the functions.

    If a person restores the files of the last deployment, the template has not changed, so CloudFormation does not
    replace the image.
    """
    updated = []
    for name, reference in {
        name: found for stack in stacks for name, found in _deployed(cloudformation, stack)
    }.items():
        image = _image(lambda_, name)
        if not image.endswith(reference):
            lambda_.update_function_code(FunctionName=name, ImageUri=re.split(r"[:@]", image)[0] + reference)
            updated.append(name)
    return updated


def _deployed(cloudformation: Any, stack: str) -> list[tuple[str, str]]:
    # Return the name of each image function of the stack, and the tag or digest in the template.
    template = cloudformation.get_template(StackName=stack)["TemplateBody"]
    resources = template.get("Resources", {}) if isinstance(template, dict) else {}  # CDK's own stack is YAML text
    images = {
        name: json.dumps(found["Properties"]["Code"]["ImageUri"])
        for name, found in resources.items()
        if found["Type"] == "AWS::Lambda::Function" and "ImageUri" in found["Properties"]["Code"]
    }
    return [
        (resource["PhysicalResourceId"], match[0])
        for resource in (cloudformation.describe_stack_resources(StackName=stack)["StackResources"] if images else ())
        if (match := _REFERENCE.search(images.get(resource["LogicalResourceId"], "")))
    ]


def _image(lambda_: Any, name: str) -> str:
    return str(lambda_.get_function(FunctionName=name)["Code"]["ImageUri"])
