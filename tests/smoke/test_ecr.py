"""The deployed registry: the image is in it, scanned, and its tag stays what it is."""

import json
from typing import Any

import pytest

from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(600)  # an account takes its time


@pytest.fixture(scope="module")
def ecr(deployment: Deployment) -> Any:
    return deployment.client("ecr")


@pytest.fixture(scope="module")
def image(deployment: Deployment) -> dict[str, str]:
    """Repository and tag of the web image."""
    outputs = deployment.outputs("ecr")
    if "WebImage" not in outputs:
        pytest.skip("deployed with publish_web_image=false: the repository is empty")
    uri, _, tag = outputs["WebImage"].rpartition(":")
    assert uri == outputs["RepositoryUri"]
    return {"repositoryName": uri.partition("/")[2], "imageTag": tag}


def manifest(ecr: Any, image: dict[str, str]) -> dict[str, Any]:
    (found,) = ecr.batch_get_image(repositoryName=image["repositoryName"], imageIds=[{"imageTag": image["imageTag"]}])[
        "images"
    ]
    return dict(found)


def test_the_image_is_there_with_all_its_layers(ecr: Any, image: dict[str, str]) -> None:
    (found,) = ecr.describe_images(repositoryName=image["repositoryName"], imageIds=[{"imageTag": image["imageTag"]}])[
        "imageDetails"
    ]
    assert found["imageSizeInBytes"] > 1_000_000
    layers = json.loads(manifest(ecr, image)["imageManifest"])["layers"]
    known = ecr.batch_check_layer_availability(
        repositoryName=image["repositoryName"], layerDigests=[layer["digest"] for layer in layers]
    )
    assert {layer["layerAvailability"] for layer in known["layers"]} == {"AVAILABLE"}


def test_the_image_is_scanned(ecr: Any, image: dict[str, str], deployment: Deployment) -> None:
    def scanned() -> bool:
        (found,) = ecr.describe_images(
            repositoryName=image["repositoryName"], imageIds=[{"imageTag": image["imageTag"]}]
        )["imageDetails"]
        # ACTIVE where the account has enhanced scanning, which goes on for as long as the image is there.
        return found.get("imageScanStatus", {}).get("status") in ("COMPLETE", "ACTIVE")

    if deployment.is_local:
        pytest.skip("the local AWS scans nothing")
    wait_for(scanned, "the image to be scanned")


def test_the_tag_cannot_become_another_images(ecr: Any, image: dict[str, str]) -> None:
    was = manifest(ecr, image)
    other = json.dumps({**json.loads(was["imageManifest"]), "annotations": {"is": "another"}})
    with pytest.raises(ecr.exceptions.ImageTagAlreadyExistsException):
        ecr.put_image(**image, imageManifest=other, imageManifestMediaType=was["imageManifestMediaType"])
    assert manifest(ecr, image)["imageId"] == was["imageId"]
