"""Patches of ECR: errors for missing images, image sizes, uploads of layers, and permissions for one repository."""

import base64
import hashlib
import json
import os
import re
from http import HTTPStatus
from typing import Any

from ministack.core import iam_actions
from ministack.core.responses import error_response_json, json_response, new_uuid
from ministack.services import ecr

_IMAGE_URI = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/([^@:]+)(?::([^@]+))?(?:@(.+))?")
PART_BYTES = 20 * 1024 * 1024
"""The size of the parts in which a client uploads a layer.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_InitiateLayerUpload.html
"""


def report_missing_images() -> None:
    """Report missing images and layers as errors. Store layers that the API uploads, so `docker pull` can read them.

    A layer is a part of a container image. Images can be uploaded with `docker push` or with calls of the ECR API.

    Stock engine: DescribeImages omits a missing image and reports success. The CDK CLI then does not push the image,
    because it assumes that the image exists. The API calls that upload layers store nothing.
    AWS: returns ImageNotFoundException or LayersNotFoundException. An image that the API uploaded can be pulled.
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
    Upstream issue: none known.
    """
    for name, action in {
        "DescribeImages": _describe_images,
        "PutImage": _put_image,
        "GetDownloadUrlForLayer": _layer_url,
        "BatchCheckLayerAvailability": _layer_availability,
        "InitiateLayerUpload": _initiate_upload,
        "UploadLayerPart": _upload_part,
        "CompleteLayerUpload": _complete_upload,
    }.items():
        setattr(ecr, _function_name(name), _require_repository(action))


def evaluate_repository_arn() -> None:
    """Require permission only for the repository that a DescribeRepositories request names.

    Stock engine: requires permission for all repositories, so it rejects the requests of the CDK CLI. The CLI's role
    has permission for its own repository only.
    AWS: requires permission for the named repository.
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
    Upstream issue: none known.
    """
    stock_extract = iam_actions.extract_resource_arn

    def extract_repository_arn(service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> Any:
        arn = stock_extract(service, method, path, headers, body, *rest)
        if service == "ecr" and arn == "*":
            names = json.loads(body or "{}").get("repositoryNames") or []
            if len(names) == 1:
                body = json.dumps({"repositoryName": names[0]}).encode()
                return stock_extract(service, method, path, headers, body, *rest)
        return arn

    iam_actions.extract_resource_arn = extract_repository_arn


def image_digest(image: str) -> str:
    """Return the digest of the image with this URI. Raises LookupError if the registry does not contain the image."""
    uri = _IMAGE_URI.fullmatch(image)
    image_record = uri and ecr._find_image(uri[1], {"imageTag": uri[2], "imageDigest": uri[3]})
    if not image_record:
        raise LookupError(image)
    return str(image_record["imageDigest"])


def _function_name(action: str) -> str:
    return re.sub("([A-Z])", r"_\1", action).lower()


def _require_repository(action: Any) -> Any:
    def check_and_call(data: Any) -> Any:
        name = data.get("repositoryName", "")
        if name not in ecr._repositories:
            message = f"The repository with name '{name}' does not exist"
            return error_response_json("RepositoryNotFoundException", message, 400)
        return action(name, data)

    return check_and_call


_stock_describe, _stock_put = ecr._describe_images, ecr._put_image


def _describe_images(name: str, data: Any) -> Any:
    for image in data.get("imageIds") or []:
        if ecr._find_image(name, image) is None:
            message = f"The image with imageId {json.dumps(image)} does not exist within the repository '{name}'"
            return error_response_json("ImageNotFoundException", message, 400)
    answer = json.loads(_stock_describe(data)[2])
    for detail in answer["imageDetails"]:
        detail["imageSizeInBytes"] = _image_bytes(name, detail["imageDigest"])
    return json_response(answer)


def _image_bytes(name: str, digest: str) -> int:
    manifest = json.loads(ecr._find_image(name, {"imageDigest": digest}).get("imageManifest") or "{}")
    return sum(layer["size"] for layer in manifest.get("layers", []))


def _put_image(name: str, data: Any) -> Any:
    manifest = data["imageManifest"]
    digest = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
    tag = data.get("imageTag")
    if data.get("imageDigest", digest) != digest:
        return error_response_json("ImageDigestDoesNotMatchException", f"The digest is {digest}", 400)
    missing_layers = sorted(_layer_digests(manifest) - set(ecr._layer_blobs.get(name, {})))
    if missing_layers:
        return error_response_json("LayersNotFoundException", f"Layers {missing_layers} do not exist in '{name}'", 400)
    existing_image = ecr._find_image(name, {"imageDigest": digest})
    # An existing image gets ImageAlreadyExistsException. But if its tag is immutable, ECR returns
    # ImageTagAlreadyExistsException (https://github.com/aws/containers-roadmap/issues/2179), and so does _stock_put.
    is_immutable = ecr._repositories[name].get("imageTagMutability") == "IMMUTABLE"
    if existing_image and (tag is None or (tag in existing_image.get("imageTags", []) and not is_immutable)):
        message = f"Image with digest '{digest}' and tag '{tag}' already exists in the repository '{name}'"
        return error_response_json("ImageAlreadyExistsException", message, 400)
    media_type = data.get("imageManifestMediaType") or json.loads(manifest).get("mediaType")
    media_type_field = {"imageManifestMediaType": media_type} if media_type else {}
    answer = _stock_put({**data, "imageDigest": digest, **media_type_field})
    if answer[0] == HTTPStatus.OK:
        ecr._manifest_blobs.setdefault(name, {})[digest] = manifest.encode()
    return answer


def _layer_digests(manifest: str) -> set[str]:
    parsed = json.loads(manifest)
    return {layer["digest"] for layer in [parsed.get("config"), *parsed.get("layers", [])] if layer}


def _layer_url(name: str, data: Any) -> Any:
    digest = data["layerDigest"]
    if digest not in ecr._layer_blobs.get(name, {}):
        message = f"The layer with digest '{digest}' does not exist in the repository '{name}'"
        return error_response_json("LayersNotFoundException", message, 400)
    port = os.environ["GATEWAY_PORT"]
    return json_response({"layerDigest": digest, "downloadUrl": f"http://127.0.0.1:{port}/v2/{name}/blobs/{digest}"})


def _layer_availability(name: str, data: Any) -> Any:
    blobs = ecr._layer_blobs.get(name, {})
    layers = [
        {"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": len(blobs[digest])}
        for digest in data["layerDigests"]
        if digest in blobs
    ]
    failures = [
        {"layerDigest": digest, "failureCode": "MissingLayerDigest", "failureReason": "The layer does not exist"}
        for digest in data["layerDigests"]
        if digest not in blobs
    ]
    return json_response({"layers": layers, "failures": failures})


def _initiate_upload(name: str, _data: Any) -> Any:
    upload = new_uuid()
    ecr._uploads.setdefault(name, {})[upload] = bytearray()
    return json_response({"uploadId": upload, "partSize": PART_BYTES})


def _upload_part(name: str, data: Any) -> Any:
    received_bytes = ecr._uploads.get(name, {}).get(data["uploadId"])
    if received_bytes is None:
        return error_response_json("UploadNotFoundException", f"The upload {data['uploadId']} does not exist", 400)
    part = base64.b64decode(data["layerPartBlob"])
    last_byte = int(data["partLastByte"])
    if int(data["partFirstByte"]) != len(received_bytes) or last_byte - len(received_bytes) + 1 != len(part):
        message = f"The part must start at byte {len(received_bytes)}, and its length must match partLastByte"
        return error_response_json("InvalidLayerPartException", message, 400)
    received_bytes.extend(part)
    return json_response({"repositoryName": name, "uploadId": data["uploadId"], "lastByteReceived": last_byte})


def _complete_upload(name: str, data: Any) -> Any:
    received_bytes = ecr._uploads.get(name, {}).pop(data["uploadId"], None)
    if received_bytes is None:
        return error_response_json("UploadNotFoundException", f"The upload {data['uploadId']} does not exist", 400)
    digest = "sha256:" + hashlib.sha256(received_bytes).hexdigest()
    if digest not in data["layerDigests"]:
        return error_response_json("InvalidLayerException", f"The digest is {digest}", 400)
    ecr._layer_blobs.setdefault(name, {})[digest] = bytes(received_bytes)
    return json_response({"repositoryName": name, "uploadId": data["uploadId"], "layerDigest": digest})
