"""Copying an image, on a fake registry with ECR's rules."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import urllib3

from ecr.registry import CopyError, Registry

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
PART_SIZE = 1000
Copy = Callable[[str], str]


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class ImageExistsError(Exception):
    """Stands for ImageAlreadyExistsException."""


class TagExistsError(Exception):
    """Stands for ImageTagAlreadyExistsException."""


class Exceptions:
    ImageAlreadyExistsException = ImageExistsError
    ImageTagAlreadyExistsException = TagExistsError


@dataclass
class Repository:
    blobs: dict[str, bytes] = field(default_factory=dict)
    images: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Manifest and media type of each digest."""
    tags: dict[str, str] = field(default_factory=dict)

    def add(self, manifest: dict[str, Any], kind: str, tag: str | None = None) -> str:
        text = json.dumps(manifest)
        digest = digest_of(text.encode())
        self.images[digest] = (text, kind)
        if tag:
            self.tags[tag] = digest
        return digest

    def add_image(self, *layers: bytes, tag: str | None = None) -> str:
        contents = [b'{"config": 1}', *layers]
        self.blobs.update({digest_of(content): content for content in contents})
        config, *rest = ({"digest": digest_of(content), "size": len(content)} for content in contents)
        return self.add({"config": config, "layers": rest}, IMAGE, tag)


class Ecr:
    """A fake of boto3's client with the calls that copying makes, and the rules of ECR that matter to them."""

    exceptions = Exceptions

    def __init__(self, url: str) -> None:
        self.repositories = {"source": Repository(), "target": Repository()}
        self.uploads: dict[str, bytes] = {}
        self.uploaded: list[str] = []
        self.error_for_same_image: type[Exception] = ImageExistsError
        """Raised if the tag belongs to this very image already. ECR may raise either error."""
        self._url = url

    def batch_get_image(self, *, repositoryName: str, imageIds: list[Any], acceptedMediaTypes: list[str]) -> Any:  # noqa: N803
        repository = self.repositories[repositoryName]
        (wanted,) = imageIds
        digest = wanted.get("imageDigest") or repository.tags.get(wanted["imageTag"])
        if digest not in repository.images:
            return {"images": [], "failures": [{"failureReason": "Requested image not found"}]}
        manifest, kind = repository.images[digest]
        assert kind in acceptedMediaTypes, "ECR would convert it, and its digest would be another"
        image = {"imageManifest": manifest, "imageManifestMediaType": kind, "imageId": {"imageDigest": digest}}
        return {"images": [image], "failures": []}

    def batch_check_layer_availability(self, *, repositoryName: str, layerDigests: list[str]) -> Any:  # noqa: N803
        present = self.repositories[repositoryName].blobs
        return {
            "layers": [
                {"layerDigest": digest, "layerAvailability": "AVAILABLE" if digest in present else "UNAVAILABLE"}
                for digest in layerDigests
            ]
        }

    def get_download_url_for_layer(self, *, repositoryName: str, layerDigest: str) -> Any:  # noqa: N803
        return {"downloadUrl": f"{self._url}/{repositoryName}/{layerDigest}"}

    def initiate_layer_upload(self, *, repositoryName: str) -> Any:  # noqa: N803
        upload_id = f"{repositoryName}-{len(self.uploads)}"
        self.uploads[upload_id] = b""
        return {"uploadId": upload_id, "partSize": PART_SIZE}

    def upload_layer_part(
        self,
        *,
        repositoryName: str,  # noqa: N803, ARG002
        uploadId: str,  # noqa: N803
        partFirstByte: int,  # noqa: N803
        partLastByte: int,  # noqa: N803
        layerPartBlob: bytes,  # noqa: N803
    ) -> None:
        assert partFirstByte == len(self.uploads[uploadId])
        assert partLastByte - partFirstByte + 1 == len(layerPartBlob) <= PART_SIZE
        self.uploads[uploadId] += layerPartBlob

    def complete_layer_upload(self, *, repositoryName: str, uploadId: str, layerDigests: list[str]) -> None:  # noqa: N803
        content = self.uploads[uploadId]
        assert [digest_of(content)] == layerDigests, "InvalidLayerException"
        self.repositories[repositoryName].blobs[layerDigests[0]] = content
        self.uploaded.append(layerDigests[0])

    def put_image(self, *, repositoryName: str, imageManifest: str, imageManifestMediaType: str, **id_: str) -> None:  # noqa: N803
        repository = self.repositories[repositoryName]
        digest = digest_of(imageManifest.encode())
        assert id_.pop("imageDigest") == digest, "ImageDigestDoesNotMatchException"
        manifest = json.loads(imageManifest)
        layers = [manifest["config"], *manifest["layers"]] if "layers" in manifest else []
        assert {layer["digest"] for layer in layers} <= {*repository.blobs}, "LayersNotFoundException"
        assert {image["digest"] for image in manifest.get("manifests", [])} <= {*repository.images}, (
            "ReferencedImagesNotFound"
        )
        tag = id_.get("imageTag")
        if repository.tags.get(tag or "") == digest:
            raise self.error_for_same_image(digest)
        if tag in repository.tags:
            raise TagExistsError(tag)
        if digest in repository.images and tag is None:
            raise ImageExistsError(digest)
        repository.images[digest] = (imageManifest, imageManifestMediaType)
        if tag:
            repository.tags[tag] = digest


@pytest.fixture
def ecr() -> Iterator[Ecr]:
    """The fake registry, with an HTTP server for the layers (ECR serves them from S3)."""

    class Layers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            repository, digest = self.path[1:].split("/")
            content = made.repositories[repository].blobs.get(digest)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Layers)
    made = Ecr(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def copy(ecr: Ecr) -> Iterator[Copy]:
    with urllib3.PoolManager(retries=False) as http:
        registry = Registry(ecr, http)  # type: ignore[arg-type] # it has the methods that are called
        yield lambda tag: registry.copy("source", "target", tag)


def test_an_image_is_copied_part_by_part(ecr: Ecr, copy: Copy) -> None:
    source, target = ecr.repositories.values()
    digest = source.add_image(b"a" * (2 * PART_SIZE + 1), b"b" * PART_SIZE, b"c", tag="v1")
    assert copy("v1") == digest
    assert target == source


def test_an_index_is_copied_with_all_its_images(ecr: Ecr, copy: Copy) -> None:
    source, target = ecr.repositories.values()
    arm, x86 = source.add_image(b"shared", b"arm"), source.add_image(b"shared", b"x86")
    source.add({"manifests": [{"digest": arm}, {"digest": x86}]}, INDEX, tag="v1")
    copy("v1")
    assert target == source
    assert len(ecr.uploaded) == len({*ecr.uploaded}), "a shared layer is copied once"


@pytest.mark.parametrize("error", [ImageExistsError, TagExistsError])
def test_existing_images_and_layers_are_not_copied_again(ecr: Ecr, copy: Copy, error: type[Exception]) -> None:
    source, target = ecr.repositories.values()
    ecr.error_for_same_image = error
    source.add_image(b"base", b"old", tag="v1")
    copy("v1")
    ecr.uploaded.clear()
    source.add_image(b"base", b"new", tag="v2")
    copy("v2")
    assert ecr.uploaded == [digest_of(b"new")]
    ecr.uploaded.clear()
    assert copy("v2") == target.tags["v2"]
    assert ecr.uploaded == []
    assert target.tags == source.tags


def test_a_repeated_layer_is_copied_once(ecr: Ecr, copy: Copy) -> None:
    source, _ = ecr.repositories.values()
    source.add_image(b"same", b"same", tag="v1")
    copy("v1")
    assert ecr.uploaded.count(digest_of(b"same")) == 1


def test_a_tag_of_another_image_is_not_moved(ecr: Ecr, copy: Copy) -> None:
    source, target = ecr.repositories.values()
    taken = target.add_image(b"mine", tag="v1")
    source.add_image(b"yours", tag="v1")
    with pytest.raises(CopyError, match="tag v1 of target belongs to another image"):
        copy("v1")
    assert target.tags["v1"] == taken


def test_a_missing_image_is_a_clear_error(copy: Copy) -> None:
    with pytest.raises(
        CopyError, match=r"source has no image .*v1.* to copy .*Requested image not found.*deploy again"
    ):
        copy("v1")


def test_a_missing_layer_is_a_clear_error(ecr: Ecr, copy: Copy) -> None:
    source, target = ecr.repositories.values()
    source.add_image(b"lost", tag="v1")
    del source.blobs[digest_of(b"lost")]
    with pytest.raises(CopyError, match="HTTP 404"):
        copy("v1")
    assert target.tags == {}
