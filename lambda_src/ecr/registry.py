"""Copies images between two repositories of one registry, by ECR's API alone.

The layers go through this function: part by part, so that its memory does not depend on their size.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import urllib3
from aws_lambda_powertools import Logger

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

logger = Logger(child=True)

INDEXES = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
"""What names an image for each platform instead of layers."""
MANIFESTS = frozenset(
    {"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
)


class CopyError(RuntimeError):
    """The image cannot be copied, now or later. The message says why and what to do."""


class Registry:
    """The account's registry in one region. All methods raise botocore's errors for what AWS failed at."""

    def __init__(self, ecr: "ECRClient", http: urllib3.PoolManager) -> None:
        self._ecr = ecr
        self._http = http

    def copy(self, source: str, target: str, tag: str) -> str:
        """Copy the image of that tag from one repository to another, and answer its digest.

        What is there already is not copied again. Raises CopyError when there is no such image, or when the tag is
        taken by another.
        """
        return self._copy(source, target, {"imageTag": tag}, tag)

    def _copy(self, source: str, target: str, image_id: Any, tag: str | None) -> str:
        image = self._image(source, image_id)
        manifest = json.loads(image["imageManifest"])
        if image["imageManifestMediaType"] in INDEXES:
            for inner in manifest["manifests"]:
                self._copy(source, target, {"imageDigest": inner["digest"]}, None)
        else:
            self._copy_layers(source, target, [manifest["config"], *manifest["layers"]])
        digest: str = image["imageId"]["imageDigest"]
        self._put(target, image, digest, tag)
        return digest

    def _image(self, repository: str, image_id: Any) -> Any:
        found = self._ecr.batch_get_image(
            repositoryName=repository, imageIds=[image_id], acceptedMediaTypes=sorted(INDEXES | MANIFESTS)
        )
        if not found["images"]:
            reasons = "; ".join(failure["failureReason"] for failure in found["failures"])
            raise CopyError(f"{repository} has no image {image_id} to copy ({reasons}); deploy again")
        return found["images"][0]

    def _copy_layers(self, source: str, target: str, layers: list[dict[str, Any]]) -> None:
        digests = {layer["digest"] for layer in layers}  # an empty layer may be there twice
        known = self._ecr.batch_check_layer_availability(repositoryName=target, layerDigests=sorted(digests))
        there = {layer["layerDigest"] for layer in known["layers"] if layer["layerAvailability"] == "AVAILABLE"}
        for digest in sorted(digests - there):
            self._copy_layer(source, target, digest)

    def _copy_layer(self, source: str, target: str, digest: str) -> None:
        upload = self._ecr.initiate_layer_upload(repositoryName=target)
        first = 0
        for part in self._parts(source, digest, upload["partSize"]):
            self._ecr.upload_layer_part(
                repositoryName=target,
                uploadId=upload["uploadId"],
                partFirstByte=first,
                partLastByte=first + len(part) - 1,
                layerPartBlob=part,
            )
            first += len(part)
        # ECR compares what has come with the digest.
        self._ecr.complete_layer_upload(repositoryName=target, uploadId=upload["uploadId"], layerDigests=[digest])
        logger.info("copied a layer", digest=digest, bytes=first)

    def _parts(self, repository: str, digest: str, size: int) -> Iterator[bytes]:
        url = self._ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest)["downloadUrl"]
        layer = self._http.request("GET", url, preload_content=False, decode_content=False)
        try:
            if layer.status != 200:  # noqa: PLR2004 - HTTP's OK
                raise CopyError(f"layer {digest} of {repository}: HTTP {layer.status}; deploy again")
            while part := layer.read(size):
                yield part
        finally:
            layer.release_conn()

    def _put(self, repository: str, image: Any, digest: str, tag: str | None) -> None:
        tagged: Any = {} if tag is None else {"imageTag": tag}
        try:
            self._ecr.put_image(
                repositoryName=repository,
                imageManifest=image["imageManifest"],
                imageManifestMediaType=image["imageManifestMediaType"],
                imageDigest=digest,
                **tagged,
            )
        except self._ecr.exceptions.ImageAlreadyExistsException:
            logger.info("the image is there already", digest=digest)
        except self._ecr.exceptions.ImageTagAlreadyExistsException as error:
            # ECR says so of the same image, too, where tags are immutable.
            # https://github.com/aws/containers-roadmap/issues/2179
            if self._image(repository, {"imageTag": tag})["imageId"]["imageDigest"] != digest:
                raise CopyError(f"tag {tag} of {repository} is another image's, and cannot be moved: {error}") from None
            logger.info("the image is there already", digest=digest)
