"""Give the image functions in the local AWS the code in lambda_src/, without a deployment of their stack."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from local.templates import deployed_stacks, template_files

_STAND_IN = re.compile(r"/stand-in/([\w-]+)@")
"""The name of an image on a machine without a container tool: see FUNCTION_STAND_IN in local/project.py."""
_REFERENCE = re.compile(r"(?::|@sha256:)[0-9a-f]{64}")
"""The tag or the digest of an image in a template. The tag of an image of the CDK CLI is a hash of its files."""


def image_folders(cloudformation: Any, assembly: Path) -> dict[str, str]:
    """Return the folder in containers/ of the image of each deployed image function, by the name of the function.

    `assembly` is the folder with the synthesized stacks. The result does not contain a function whose image has its own
    folder as the build context, because the assembly does not name this folder.
    """
    deployed = deployed_stacks(cloudformation)
    folders = {}
    for stack, file in template_files(assembly).items():
        images = _images(json.loads(file.read_text(encoding="utf-8"))) if stack in deployed else {}
        assets_file = file.with_name(f"{stack}.assets.json")
        assets = json.loads(assets_file.read_text(encoding="utf-8"))["dockerImages"] if images else {}
        for name, logical_id in _functions(cloudformation, stack, images):
            if folder := _folder(images[logical_id], assets):
                folders[name] = folder
    return folders


def _folder(image: str, assets: Mapping[str, Any]) -> str | None:
    if stand_in := _STAND_IN.search(image):
        return stand_in[1].replace("-", "_")
    reference = _REFERENCE.search(image)
    source = assets[reference[0][1:]]["source"] if reference and reference[0][1:] in assets else {}
    folder = Path(source.get("dockerFile", "")).parent
    return folder.name if folder.parent == Path("containers") else None


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
        if (match := _REFERENCE.search(images[logical_id]))
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
