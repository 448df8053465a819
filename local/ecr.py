"""Shows the ECR example at work: the web image is in its repository, and its tag stays what it is."""

import json

from botocore.exceptions import ClientError

from local.scene import Scene
from localaws.aws import LocalError

TITLE = "a registry, with the image of the web service in it"


def exercise(scene: Scene, outputs: dict[str, str]) -> None:
    """List the image, and try to overwrite its tag. Raises LocalError if that can be done."""
    if "WebImage" not in outputs:
        print(f"    {outputs['RepositoryUri']} is empty: no image can be built here ({scene.engine.tool.why})")
        return
    registry = scene.client("ecr")
    name, tag = _named(outputs)
    (image,) = registry.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])["imageDetails"]
    print(f"    {tag[:12]}… is there: {image['imageDigest'][:19]}…, {image['imageSizeInBytes'] / 1e6:.0f} MB")
    manifest = registry.batch_get_image(repositoryName=name, imageIds=[{"imageTag": tag}])["images"][0]["imageManifest"]
    other = json.dumps(json.loads(manifest))  # the same image, with another digest
    try:
        registry.put_image(repositoryName=name, imageManifest=f"{other} ", imageTag=tag)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ImageTagAlreadyExistsException":
            raise
    else:
        raise LocalError(f"the tag {tag} of {name} could be overwritten")
    print("    its tag cannot be overwritten. Recorded only: the scan, and what the lifecycle would delete")


def suggestions(_scene: Scene, outputs: dict[str, str]) -> list[str]:
    """Commands to go on with."""
    return [f"aws ecr describe-images --repository-name {outputs['RepositoryUri'].partition('/')[2]}"]


def _named(outputs: dict[str, str]) -> tuple[str, str]:
    name, _, tag = outputs["WebImage"].partition("/")[2].rpartition(":")
    return name, tag
