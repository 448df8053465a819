"""Patches of ECR: errors for missing images, sizes, and the API for layers."""

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

_IMAGE = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/([^@:]+)(?::([^@]+))?(?:@(.+))?")
PART_BYTES = 20 * 1024 * 1024
"""https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_InitiateLayerUpload.html"""


def report_missing_images() -> None:
    """Report a missing image or layer as an error, and let the API work on the same layers as `docker push`.

    Stock engine: DescribeImages leaves a missing image out, so the CDK CLI believes that it was pushed. The API for
    layers stores nothing.
    AWS: answers ImageNotFoundException and LayersNotFoundException. An image that is put through the API can be pulled.
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
    """Evaluate DescribeRepositories for one repository against the policies for that repository.

    Stock engine: evaluates it for all repositories, so it refuses the role of the CDK CLI.
    AWS: evaluates it for the repository that the request names.
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
    Upstream issue: none known.
    """
    extract = iam_actions.extract_resource_arn

    def extract_named(service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> Any:
        arn = extract(service, method, path, headers, body, *rest)
        if service == "ecr" and arn == "*":
            names = json.loads(body or "{}").get("repositoryNames") or []
            if len(names) == 1:
                body = json.dumps({"repositoryName": names[0]}).encode()
                return extract(service, method, path, headers, body, *rest)
        return arn

    iam_actions.extract_resource_arn = extract_named


def image_digest(image: str) -> str:
    """Return the digest of the image with this URI. Raises LookupError for an image that is not in the registry."""
    found = _IMAGE.fullmatch(image)
    image_record = found and ecr._find_image(found[1], {"imageTag": found[2], "imageDigest": found[3]})
    if not image_record:
        raise LookupError(image)
    return str(image_record["imageDigest"])


def _function_name(action: str) -> str:
    return re.sub("([A-Z])", r"_\1", action).lower()


def _require_repository(action: Any) -> Any:
    def act(data: Any) -> Any:
        name = data.get("repositoryName", "")
        if name not in ecr._repositories:
            message = f"The repository with name '{name}' does not exist"
            return error_response_json("RepositoryNotFoundException", message, 400)
        return action(name, data)

    return act


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
    missing = sorted(_layer_digests(manifest) - set(ecr._layer_blobs.get(name, {})))
    if missing:
        return error_response_json("LayersNotFoundException", f"Layers {missing} do not exist in '{name}'", 400)
    existing = ecr._find_image(name, {"imageDigest": digest})
    # If tags are immutable, ECR reports the existing tag instead. https://github.com/aws/containers-roadmap/issues/2179
    immutable = ecr._repositories[name].get("imageTagMutability") == "IMMUTABLE"
    if existing and (tag is None or (tag in existing.get("imageTags", []) and not immutable)):
        message = f"Image with digest '{digest}' and tag '{tag}' already exists in the repository '{name}'"
        return error_response_json("ImageAlreadyExistsException", message, 400)
    kind = data.get("imageManifestMediaType") or json.loads(manifest).get("mediaType")
    answer = _stock_put({**data, "imageDigest": digest, **({"imageManifestMediaType": kind} if kind else {})})
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
    received = ecr._uploads.get(name, {}).get(data["uploadId"])
    if received is None:
        return error_response_json("UploadNotFoundException", f"The upload {data['uploadId']} does not exist", 400)
    part = base64.b64decode(data["layerPartBlob"])
    last = int(data["partLastByte"])
    if int(data["partFirstByte"]) != len(received) or last - len(received) + 1 != len(part):
        message = f"The next byte is {len(received)}"
        return error_response_json("InvalidLayerPartException", message, 400)
    received.extend(part)
    return json_response({"repositoryName": name, "uploadId": data["uploadId"], "lastByteReceived": last})


def _complete_upload(name: str, data: Any) -> Any:
    received = ecr._uploads.get(name, {}).pop(data["uploadId"], None)
    if received is None:
        return error_response_json("UploadNotFoundException", f"The upload {data['uploadId']} does not exist", 400)
    digest = "sha256:" + hashlib.sha256(received).hexdigest()
    if digest not in data["layerDigests"]:
        return error_response_json("InvalidLayerException", f"The digest is {digest}", 400)
    ecr._layer_blobs.setdefault(name, {})[digest] = bytes(received)
    return json_response({"repositoryName": name, "uploadId": data["uploadId"], "layerDigest": digest})
