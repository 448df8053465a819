"""These tests check that the deployed repository has all layers of the image, scans it, and protects its tag.

They run in an account, or in the local AWS, a program that imitates AWS on this machine.
"""

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
    """Return the repository and the tag of the web image, as parameters of ECR operations."""
    outputs = deployment.outputs("ecr")
    if "WebImage" not in outputs:
        pytest.skip("the repository is empty, because the setting publish_web_image is false")
    uri, _, tag = outputs["WebImage"].rpartition(":")
    assert uri == outputs["RepositoryUri"]
    return {"repositoryName": uri.partition("/")[2], "imageTag": tag}


def describe(ecr: Any, image: dict[str, str]) -> dict[str, Any]:
    (details,) = ecr.describe_images(
        repositoryName=image["repositoryName"], imageIds=[{"imageTag": image["imageTag"]}]
    )["imageDetails"]
    return dict(details)


def get_image(ecr: Any, image: dict[str, str]) -> dict[str, Any]:
    """Return the manifest and the id of the image."""
    (image_details,) = ecr.batch_get_image(
        repositoryName=image["repositoryName"], imageIds=[{"imageTag": image["imageTag"]}]
    )["images"]
    return dict(image_details)


def test_the_repository_has_all_layers_of_the_image(ecr: Any, image: dict[str, str]) -> None:
    assert describe(ecr, image)["imageSizeInBytes"] > 1_000_000
    layers = json.loads(get_image(ecr, image)["imageManifest"])["layers"]
    response = ecr.batch_check_layer_availability(
        repositoryName=image["repositoryName"], layerDigests=[layer["digest"] for layer in layers]
    )
    assert {layer["layerAvailability"] for layer in response["layers"]} == {"AVAILABLE"}


def test_ecr_scans_the_image(ecr: Any, image: dict[str, str], deployment: Deployment) -> None:
    def is_scanned() -> bool:
        # With enhanced scanning the status is ACTIVE, because Amazon Inspector scans the image again and again.
        return describe(ecr, image).get("imageScanStatus", {}).get("status") in ("COMPLETE", "ACTIVE")

    if deployment.is_local:
        pytest.skip("the local AWS does not scan images")
    wait_for(is_scanned, "the end of the scan")


def test_the_tag_cannot_be_overwritten(ecr: Any, image: dict[str, str]) -> None:
    before = get_image(ecr, image)
    other_manifest = json.dumps({**json.loads(before["imageManifest"]), "annotations": {"is": "another"}})
    with pytest.raises(ecr.exceptions.ImageTagAlreadyExistsException):
        ecr.put_image(**image, imageManifest=other_manifest, imageManifestMediaType=before["imageManifestMediaType"])
    assert get_image(ecr, image)["imageId"] == before["imageId"]
