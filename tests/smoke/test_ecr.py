"""The deployed registry: it has the image with all layers, scans it, and does not overwrite its tag."""

import json
from typing import Any

import pytest

from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(600)  # a scan in an account takes minutes


@pytest.fixture(scope="module")
def ecr(deployment: Deployment) -> Any:
    return deployment.client("ecr")


@pytest.fixture(scope="module")
def image(deployment: Deployment) -> dict[str, str]:
    """The repository and the tag of the web image, as parameters of ECR."""
    outputs = deployment.outputs("ecr")
    if "WebImage" not in outputs:
        pytest.skip("deployed with publish_web_image=false, so the repository is empty")
    uri, _, tag = outputs["WebImage"].rpartition(":")
    assert uri == outputs["RepositoryUri"]
    return {"repositoryName": uri.partition("/")[2], "imageTag": tag}


def describe(ecr: Any, image: dict[str, str]) -> dict[str, Any]:
    (details,) = ecr.describe_images(
        repositoryName=image["repositoryName"], imageIds=[{"imageTag": image["imageTag"]}]
    )["imageDetails"]
    return dict(details)


def get_image(ecr: Any, image: dict[str, str]) -> dict[str, Any]:
    """Return the image's manifest and id."""
    (found,) = ecr.batch_get_image(repositoryName=image["repositoryName"], imageIds=[{"imageTag": image["imageTag"]}])[
        "images"
    ]
    return dict(found)


def test_image_has_all_its_layers(ecr: Any, image: dict[str, str]) -> None:
    assert describe(ecr, image)["imageSizeInBytes"] > 1_000_000
    layers = json.loads(get_image(ecr, image)["imageManifest"])["layers"]
    response = ecr.batch_check_layer_availability(
        repositoryName=image["repositoryName"], layerDigests=[layer["digest"] for layer in layers]
    )
    assert {layer["layerAvailability"] for layer in response["layers"]} == {"AVAILABLE"}


def test_image_is_scanned(ecr: Any, image: dict[str, str], deployment: Deployment) -> None:
    def is_scanned() -> bool:
        # An account with enhanced scanning reports ACTIVE, because it scans the image again and again.
        return describe(ecr, image).get("imageScanStatus", {}).get("status") in ("COMPLETE", "ACTIVE")

    if deployment.is_local:
        pytest.skip("the local AWS does not scan images")
    wait_for(is_scanned, "the image to be scanned")


def test_tag_cannot_be_overwritten(ecr: Any, image: dict[str, str]) -> None:
    before = get_image(ecr, image)
    other = json.dumps({**json.loads(before["imageManifest"]), "annotations": {"is": "another"}})
    with pytest.raises(ecr.exceptions.ImageTagAlreadyExistsException):
        ecr.put_image(**image, imageManifest=other, imageManifestMediaType=before["imageManifestMediaType"])
    assert get_image(ecr, image)["imageId"] == before["imageId"]
