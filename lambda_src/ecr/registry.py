"""Copies container images from one repository of a registry to another. It needs only ECR's API, and no Docker.

This module downloads and uploads each layer in parts, so it needs little memory, even for a large layer.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import urllib3
from aws_lambda_powertools import Logger

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

logger = Logger(child=True)

INDEX_TYPES = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
"""Media types of an index, which lists one image for each platform instead of layers."""
MANIFEST_TYPES = frozenset(
    {"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
)
"""Media types of the manifest of a single image."""
LAYER_ATTEMPTS = 5
"""Attempts to copy a layer. urllib3 repeats a failed request, but not a request whose body breaks off."""


class CopyError(RuntimeError):
    """The image cannot be copied. The message says why and what to do."""


class Registry:
    """The registry of the account in one region. All methods raise botocore's errors when AWS fails."""

    def __init__(self, ecr: "ECRClient", http: urllib3.PoolManager) -> None:
        self._ecr = ecr
        self._http = http

    def copy(self, source: str, target: str, tag: str) -> str:
        """Copy the image with this tag from one repository to another, and return its digest.

        Images and layers that already exist in the target are not copied again. Raises CopyError if the source does not
        have the image, or if the tag in the target belongs to another image.
        """
        return self._copy(source, target, {"imageTag": tag}, tag)

    def _copy(self, source: str, target: str, image_id: Any, tag: str | None) -> str:
        image = self._get_image(source, image_id)
        manifest = json.loads(image["imageManifest"])
        if image["imageManifestMediaType"] in INDEX_TYPES:
            for platform_image in manifest["manifests"]:
                self._copy(source, target, {"imageDigest": platform_image["digest"]}, None)
        else:
            self._copy_layers(source, target, [manifest["config"], *manifest["layers"]])
        digest: str = image["imageId"]["imageDigest"]
        self._put_image(target, image, digest, tag)
        return digest

    def _get_image(self, repository: str, image_id: Any) -> Any:
        answer = self._ecr.batch_get_image(
            repositoryName=repository, imageIds=[image_id], acceptedMediaTypes=sorted(INDEX_TYPES | MANIFEST_TYPES)
        )
        if not answer["images"]:
            reasons = "; ".join(failure["failureReason"] for failure in answer["failures"])
            raise CopyError(f"{repository} has no image {image_id} to copy ({reasons}); deploy again")
        return answer["images"][0]

    def _copy_layers(self, source: str, target: str, layers: list[dict[str, Any]]) -> None:
        digests = {layer["digest"] for layer in layers}  # an image can contain the same layer twice
        answer = self._ecr.batch_check_layer_availability(repositoryName=target, layerDigests=sorted(digests))
        existing_digests = {
            layer["layerDigest"] for layer in answer["layers"] if layer["layerAvailability"] == "AVAILABLE"
        }
        for digest in sorted(digests - existing_digests):
            self._copy_layer(source, target, digest)

    def _copy_layer(self, source: str, target: str, digest: str) -> None:
        for attempt in range(1, LAYER_ATTEMPTS + 1):
            try:
                self._copy_layer_once(source, target, digest)
            except urllib3.exceptions.HTTPError as error:
                logger.warning("the download of a layer broke off", digest=digest, attempt=attempt, exc_info=error)
                last_error = error
            else:
                return
        raise CopyError(f"layer {digest} of {source} cannot be downloaded: {last_error}; deploy again") from last_error

    def _copy_layer_once(self, source: str, target: str, digest: str) -> None:
        upload = self._ecr.initiate_layer_upload(repositoryName=target)
        position = 0
        for part in self._download(source, digest, upload["partSize"]):
            self._ecr.upload_layer_part(
                repositoryName=target,
                uploadId=upload["uploadId"],
                partFirstByte=position,
                partLastByte=position + len(part) - 1,
                layerPartBlob=part,
            )
            position += len(part)
        # This call fails if the uploaded bytes do not have this digest.
        self._ecr.complete_layer_upload(repositoryName=target, uploadId=upload["uploadId"], layerDigests=[digest])
        logger.info("copied a layer", digest=digest, bytes=position)

    def _download(self, repository: str, digest: str, part_size: int) -> Iterator[bytes]:
        url = self._ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest)["downloadUrl"]
        layer = self._http.request("GET", url, preload_content=False, decode_content=False)
        try:
            if layer.status != 200:  # noqa: PLR2004 - the HTTP status "OK"
                raise CopyError(f"layer {digest} of {repository}: HTTP {layer.status}; deploy again")
            while part := layer.read(part_size):
                yield part
        finally:
            layer.release_conn()

    def _put_image(self, repository: str, image: Any, digest: str, tag: str | None) -> None:
        tag_argument: Any = {} if tag is None else {"imageTag": tag}
        try:
            self._ecr.put_image(
                repositoryName=repository,
                imageManifest=image["imageManifest"],
                imageManifestMediaType=image["imageManifestMediaType"],
                imageDigest=digest,
                **tag_argument,
            )
        except self._ecr.exceptions.ImageAlreadyExistsException:
            logger.info("the image exists already", digest=digest)
        except self._ecr.exceptions.ImageTagAlreadyExistsException as error:
            # In a repository with immutable tags, ECR also raises this error if the tag belongs to the same image.
            # https://github.com/aws/containers-roadmap/issues/2179
            if self._get_image(repository, {"imageTag": tag})["imageId"]["imageDigest"] != digest:
                raise CopyError(
                    f"tag {tag} of {repository} belongs to another image, and tags cannot move: {error}"
                ) from None
            logger.info("the image exists already", digest=digest)
