"""Shows the ECR example at work. The repository contains the web image, and the tag cannot be overwritten."""

import json

from botocore.exceptions import ClientError

from local.deployment import LocalDeployment
from localaws.aws import LocalError

TITLE = "a private registry contains the image of the web service"


def exercise(deployment: LocalDeployment, outputs: dict[str, str]) -> None:
    """Print the image, and try to overwrite its tag. Raises LocalError if the tag can be overwritten."""
    if "WebImage" not in outputs:
        tool = deployment.engine.tool
        reason = "publish_web_image is False" if tool else f"no image can be built ({tool.why})"
        print(f"    {outputs['RepositoryUri']} is empty, because {reason}")
        return
    registry = deployment.client("ecr")
    name, tag = _name_and_tag(outputs)
    (image,) = registry.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])["imageDetails"]
    print(f"    image {tag[:12]}…: {image['imageDigest'][:19]}…, {image['imageSizeInBytes'] / 1e6:.0f} MB")
    manifest = registry.batch_get_image(repositoryName=name, imageIds=[{"imageTag": tag}])["images"][0]["imageManifest"]
    changed_manifest = f"{json.dumps(json.loads(manifest))} "  # because of the space at the end, it has another digest
    try:
        registry.put_image(repositoryName=name, imageManifest=changed_manifest, imageTag=tag)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ImageTagAlreadyExistsException":
            raise
    else:
        raise LocalError(f"the tag {tag} of {name} could be overwritten")
    print("    its tag cannot be overwritten. The local AWS does not scan images and does not apply lifecycle rules")


def suggestions(_deployment: LocalDeployment, outputs: dict[str, str]) -> list[str]:
    """Return shell commands that the person may try next."""
    return [f"aws ecr describe-images --repository-name {outputs['RepositoryUri'].partition('/')[2]}"]


def _name_and_tag(outputs: dict[str, str]) -> tuple[str, str]:
    name, _, tag = outputs["WebImage"].partition("/")[2].rpartition(":")
    return name, tag
