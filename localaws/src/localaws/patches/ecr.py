"""What the engine's ECR lacks: errors for images that are not there, sizes, and the API for layers."""

import base64
import hashlib
import json
import os
import re
from typing import Any

from ministack.core import iam_actions
from ministack.core.responses import error_response_json, json_response, new_uuid
from ministack.services import ecr

_IMAGE = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/([^@:]+)(?::([^@]+))?(?:@(.+))?")
PART_BYTES = 20 * 1024 * 1024
"""https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_InitiateLayerUpload.html"""


def keep_images_truly() -> None:
    """Let the API work on the same layers and manifests as `docker push`.

    Without it the CDK CLI takes any image for one that was pushed already, and layers come and go unseen.
    """
    for name, action in {
        "DescribeImages": _describe,
        "PutImage": _put,
        "GetDownloadUrlForLayer": _url_of_layer,
        "BatchCheckLayerAvailability": _availability,
        "InitiateLayerUpload": _begin,
        "UploadLayerPart": _upload,
        "CompleteLayerUpload": _complete,
    }.items():
        setattr(ecr, _name_of(name), _in_a_repository(action))


def ask_permission_for_the_repository() -> None:
    """Hold a request about one repository by DescribeRepositories against the policies for that one.

    The engine holds it against those for all, and so refuses the CDK CLI's role.
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


def digest_of(image: str) -> str:
    """What the registry knows the image by that a URI names. Raises LookupError for an image that it does not hold."""
    found = _IMAGE.fullmatch(image)
    held = found and ecr._find_image(found[1], {"imageTag": found[2], "imageDigest": found[3]})
    if not held:
        raise LookupError(image)
    return str(held["imageDigest"])


def _name_of(action: str) -> str:
    return re.sub("([A-Z])", r"_\1", action).lower()


def _in_a_repository(action: Any) -> Any:
    def act(data: Any) -> Any:
        name = data.get("repositoryName", "")
        if name not in ecr._repositories:
            message = f"The repository with name '{name}' does not exist"
            return error_response_json("RepositoryNotFoundException", message, 400)
        return action(name, data)

    return act


_stock_describe, _stock_put = ecr._describe_images, ecr._put_image


def _describe(name: str, data: Any) -> Any:
    for wanted in data.get("imageIds") or []:
        if ecr._find_image(name, wanted) is None:
            message = f"The image with imageId {json.dumps(wanted)} does not exist within the repository '{name}'"
            return error_response_json("ImageNotFoundException", message, 400)
    answer = json.loads(_stock_describe(data)[2])
    for detail in answer["imageDetails"]:
        detail["imageSizeInBytes"] = _size(name, detail["imageDigest"])
    return json_response(answer)


def _size(name: str, digest: str) -> int:
    manifest = json.loads(ecr._find_image(name, {"imageDigest": digest}).get("imageManifest") or "{}")
    return sum(layer["size"] for layer in manifest.get("layers", []))


def _put(name: str, data: Any) -> Any:
    manifest = data["imageManifest"]
    digest = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
    tag = data.get("imageTag")
    if data.get("imageDigest", digest) != digest:
        return error_response_json("ImageDigestDoesNotMatchException", f"The digest is {digest}", 400)
    missing = sorted(_layers_of(manifest) - set(ecr._layer_blobs.get(name, {})))
    if missing:
        return error_response_json("LayersNotFoundException", f"Layers {missing} do not exist in '{name}'", 400)
    there = ecr._find_image(name, {"imageDigest": digest})
    # Where tags are immutable, ECR says that it is the tag that is there. https://github.com/aws/containers-roadmap/issues/2179
    immutable = ecr._repositories[name].get("imageTagMutability") == "IMMUTABLE"
    if there and (tag is None or (tag in there.get("imageTags", []) and not immutable)):
        message = f"Image with digest '{digest}' and tag '{tag}' already exists in the repository '{name}'"
        return error_response_json("ImageAlreadyExistsException", message, 400)
    kind = data.get("imageManifestMediaType") or json.loads(manifest).get("mediaType")
    answer = _stock_put({**data, "imageDigest": digest, **({"imageManifestMediaType": kind} if kind else {})})
    if answer[0] == 200:  # noqa: PLR2004 - HTTP's OK
        ecr._manifest_blobs.setdefault(name, {})[digest] = manifest.encode()
    return answer


def _layers_of(manifest: str) -> set[str]:
    parsed = json.loads(manifest)
    return {layer["digest"] for layer in [parsed.get("config"), *parsed.get("layers", [])] if layer}


def _url_of_layer(name: str, data: Any) -> Any:
    digest = data["layerDigest"]
    if digest not in ecr._layer_blobs.get(name, {}):
        message = f"The layer with digest '{digest}' does not exist in the repository '{name}'"
        return error_response_json("LayersNotFoundException", message, 400)
    port = os.environ["GATEWAY_PORT"]
    return json_response({"layerDigest": digest, "downloadUrl": f"http://127.0.0.1:{port}/v2/{name}/blobs/{digest}"})


def _availability(name: str, data: Any) -> Any:
    blobs = ecr._layer_blobs.get(name, {})
    layers = [
        {"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": len(blobs[digest])}
        for digest in data["layerDigests"]
        if digest in blobs
    ]
    failures = [
        {"layerDigest": digest, "failureCode": "MissingLayerDigest", "failureReason": "There is no such layer"}
        for digest in data["layerDigests"]
        if digest not in blobs
    ]
    return json_response({"layers": layers, "failures": failures})


def _begin(name: str, _data: Any) -> Any:
    upload = new_uuid()
    ecr._uploads.setdefault(name, {})[upload] = bytearray()
    return json_response({"uploadId": upload, "partSize": PART_BYTES})


def _upload(name: str, data: Any) -> Any:
    received = ecr._uploads.get(name, {}).get(data["uploadId"])
    if received is None:
        return error_response_json("UploadNotFoundException", f"There is no upload {data['uploadId']}", 400)
    part = base64.b64decode(data["layerPartBlob"])
    last = int(data["partLastByte"])
    if int(data["partFirstByte"]) != len(received) or last - len(received) + 1 != len(part):
        message = f"The next byte is {len(received)}"
        return error_response_json("InvalidLayerPartException", message, 400)
    received.extend(part)
    return json_response({"repositoryName": name, "uploadId": data["uploadId"], "lastByteReceived": last})


def _complete(name: str, data: Any) -> Any:
    received = ecr._uploads.get(name, {}).pop(data["uploadId"], None)
    if received is None:
        return error_response_json("UploadNotFoundException", f"There is no upload {data['uploadId']}", 400)
    digest = "sha256:" + hashlib.sha256(received).hexdigest()
    if digest not in data["layerDigests"]:
        return error_response_json("InvalidLayerException", f"The digest is {digest}", 400)
    ecr._layer_blobs.setdefault(name, {})[digest] = bytes(received)
    return json_response({"repositoryName": name, "uploadId": data["uploadId"], "layerDigest": digest})
