"""Give the image functions in the local AWS the code in lambda_src/, without a deployment of their stack."""

import json
import re
from collections.abc import Callable, Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from local.image_folders import REFERENCE, deployed_images


def function_folders(cloudformation: Any, assembly: Path) -> dict[str, str]:
    """Return the folder in containers/ of the image of each deployed image function, by the name of the function.

    `assembly` is the folder with the synthesized stacks.
    """
    folders = {}
    for stack, images in deployed_images(cloudformation, assembly):
        uris = _images(images.template)
        for name, logical_id in _functions(cloudformation, stack, uris):
            if folder := images.folder_of(uris[logical_id]):
                folders[name] = folder
    return folders


def replace_images(lambda_: Any, names: Iterable[str], new_image: Callable[[str], str]) -> None:
    """Give these image functions a new image.

    `new_image` receives the URI of the repository of the image, and returns the URI of the new image. CloudFormation
    does not know this image: see `use_deployed_images`.
    """
    build_once = cache(new_image)  # several functions may run the same image
    for name in names:
        repository = re.split(r"[:@]", _image(lambda_, name))[0]
        lambda_.update_function_code(FunctionName=name, ImageUri=build_once(repository))


def use_deployed_images(cloudformation: Any, lambda_: Any, stacks: Collection[str]) -> list[str]:
    """Run the images in the templates of these stacks if functions run other ones. Return the names of the functions.

    If a person restores the files of the last deployment, the template has not changed, so CloudFormation does not
    replace the image.
    """
    updated = []
    for stack in stacks:
        for name, reference in _deployed(cloudformation, stack):
            image = _image(lambda_, name)
            if not image.endswith(reference):
                lambda_.update_function_code(FunctionName=name, ImageUri=re.split(r"[:@]", image)[0] + reference)
                updated.append(name)
    return updated


def _deployed(cloudformation: Any, stack: str) -> list[tuple[str, str]]:
    # Return the name of each image function of the stack, and the tag or digest in the template.
    images = _images(cloudformation.get_template(StackName=stack)["TemplateBody"])
    return [
        (name, match[0])
        for name, logical_id in _functions(cloudformation, stack, images)
        if (match := REFERENCE.search(images[logical_id]))
    ]


def _images(template: Any) -> dict[str, str]:
    # Return the JSON text of the ImageUri of each image function in the template, by its logical ID.
    resources = template.get("Resources", {}) if isinstance(template, dict) else {}  # CDK's own stack is YAML text
    return {
        logical_id: json.dumps(found["Properties"]["Code"]["ImageUri"])
        for logical_id, found in resources.items()
        if found["Type"] == "AWS::Lambda::Function" and "ImageUri" in found["Properties"]["Code"]
    }


def _functions(cloudformation: Any, stack: str, images: Collection[str]) -> list[tuple[str, str]]:
    # Return the name and the logical ID of each deployed function of the stack that is in `images`.
    resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"] if images else ()
    return [
        (resource["PhysicalResourceId"], resource["LogicalResourceId"])
        for resource in resources
        if resource["LogicalResourceId"] in images and resource.get("PhysicalResourceId")
    ]


def _image(lambda_: Any, name: str) -> str:
    return str(lambda_.get_function(FunctionName=name)["Code"]["ImageUri"])
