"""Images are copied between two repositories of a fake registry that has the rules of ECR."""

# ruff: noqa: N803 - the fake has the parameter names of AWS

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3

from ecr.registry import LAYER_ATTEMPTS, CopyError, Registry
from tests.support.faulty_server import Fault, Request, Response, run_faulty_server

IMAGE_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
"""The media type of an index: a list of images, often one for each processor architecture."""
PART_SIZE = 1000
Copy = Callable[[str], str]


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Exceptions:
    """The exceptions of boto3's client."""

    class ImageAlreadyExistsException(Exception):  # noqa: N818 - the name that AWS uses
        pass

    class ImageTagAlreadyExistsException(Exception):  # noqa: N818 - the name that AWS uses
        pass


@dataclass
class Repository:
    layers: dict[str, bytes] = field(default_factory=dict)
    """The content for each digest."""
    images: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Manifest and media type for each digest."""
    tags: dict[str, str] = field(default_factory=dict)
    """The digest for each tag."""

    def add(self, manifest: dict[str, Any], media_type: str, tag: str | None = None) -> str:
        text = json.dumps(manifest)
        digest = digest_of(text.encode())
        self.images[digest] = (text, media_type)
        if tag:
            self.tags[tag] = digest
        return digest

    def add_image(self, *layers: bytes, tag: str | None = None) -> str:
        contents = [b'{"config": 1}', *layers]
        self.layers.update({digest_of(content): content for content in contents})
        config, *rest = ({"digest": digest_of(content), "size": len(content)} for content in contents)
        return self.add({"config": config, "layers": rest}, IMAGE_TYPE, tag)


class Ecr:
    """A fake that follows ECR's rules. It replaces boto3's client and the HTTP client of Registry."""

    exceptions = Exceptions

    def __init__(self) -> None:
        self.repositories = {"source": Repository(), "target": Repository()}
        self.uploads: dict[str, bytes] = {}
        self.uploaded_digests: list[str] = []
        self.same_image_error: type[Exception] = Exceptions.ImageAlreadyExistsException
        """put_image raises this error if the tag already belongs to the same image. ECR raises one of two errors."""

    def batch_get_image(self, *, repositoryName: str, imageIds: list[Any], acceptedMediaTypes: list[str]) -> Any:
        repository = self.repositories[repositoryName]
        (image_id,) = imageIds
        digest = image_id.get("imageDigest") or repository.tags.get(image_id["imageTag"])
        if digest not in repository.images:
            return {"images": [], "failures": [{"failureReason": "Requested image not found"}]}
        manifest, media_type = repository.images[digest]
        assert media_type in acceptedMediaTypes, "ECR would convert the manifest, so its digest would change"
        image = {"imageManifest": manifest, "imageManifestMediaType": media_type, "imageId": {"imageDigest": digest}}
        return {"images": [image], "failures": []}

    def batch_check_layer_availability(self, *, repositoryName: str, layerDigests: list[str]) -> Any:
        availability = {True: "AVAILABLE", False: "UNAVAILABLE"}
        layers = self.repositories[repositoryName].layers
        answers = [
            {"layerDigest": digest, "layerAvailability": availability[digest in layers]} for digest in layerDigests
        ]
        return {"layers": answers}

    def get_download_url_for_layer(self, *, repositoryName: str, layerDigest: str) -> Any:
        return {"downloadUrl": f"https://{repositoryName}/{layerDigest}"}

    def initiate_layer_upload(self, *, repositoryName: str) -> Any:
        upload_id = f"{repositoryName}-{len(self.uploads)}"
        self.uploads[upload_id] = b""
        return {"uploadId": upload_id, "partSize": PART_SIZE}

    def upload_layer_part(
        self, *, repositoryName: str, uploadId: str, partFirstByte: int, partLastByte: int, layerPartBlob: bytes
    ) -> None:
        assert uploadId.startswith(repositoryName)
        assert partFirstByte == len(self.uploads[uploadId])
        assert partLastByte - partFirstByte + 1 == len(layerPartBlob) <= PART_SIZE
        self.uploads[uploadId] += layerPartBlob

    def complete_layer_upload(self, *, repositoryName: str, uploadId: str, layerDigests: list[str]) -> None:
        content = self.uploads[uploadId]
        assert [digest_of(content)] == layerDigests, "InvalidLayerException"
        self.repositories[repositoryName].layers[layerDigests[0]] = content
        self.uploaded_digests.append(layerDigests[0])

    def put_image(
        self,
        *,
        repositoryName: str,
        imageManifest: str,
        imageManifestMediaType: str,
        imageDigest: str,
        imageTag: str = "",
    ) -> None:
        repository = self.repositories[repositoryName]
        digest, manifest = digest_of(imageManifest.encode()), json.loads(imageManifest)
        assert imageDigest == digest, "ImageDigestDoesNotMatchException"
        layers = [manifest["config"], *manifest["layers"]] if "layers" in manifest else []
        assert {layer["digest"] for layer in layers} <= {*repository.layers}, "LayersNotFoundException"
        images = {image["digest"] for image in manifest.get("manifests", [])}
        assert images <= {*repository.images}, "ReferencedImagesNotFoundException"
        if repository.tags.get(imageTag) == digest:
            raise self.same_image_error(digest)
        if imageTag in repository.tags:
            raise Exceptions.ImageTagAlreadyExistsException(imageTag)
        if digest in repository.images and not imageTag:
            raise Exceptions.ImageAlreadyExistsException(digest)
        repository.images[digest] = (imageManifest, imageManifestMediaType)
        if imageTag:
            repository.tags[imageTag] = digest

    def request(self, method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
        """Download a layer. This is a method of urllib3's PoolManager."""
        assert method == "GET"
        content = self.repositories["source"].layers.get(url.removeprefix("https://source/"))
        return urllib3.HTTPResponse(io.BytesIO(content or b""), status=404 if content is None else 200, **options)


@pytest.fixture
def ecr() -> Ecr:
    return Ecr()


@pytest.fixture
def copy(ecr: Ecr) -> Copy:
    """Return a function that copies the image with a tag from `source` to `target`."""
    registry = Registry(ecr, http=ecr)  # type: ignore[arg-type] # the fake has all methods that are called
    return lambda tag: registry.copy("source", "target", tag)


def test_an_image_is_copied_part_by_part(ecr: Ecr, copy: Copy) -> None:
    source, target = ecr.repositories.values()
    digest = source.add_image(b"a" * (2 * PART_SIZE + 1), b"b" * PART_SIZE, b"c", tag="v1")
    assert copy("v1") == digest
    assert target == source


def test_an_index_is_copied_with_all_its_images(ecr: Ecr, copy: Copy) -> None:
    """A layer of two images, and a layer that an image contains twice, are copied only once."""
    source, target = ecr.repositories.values()
    arm, x86 = source.add_image(b"shared", b"arm"), source.add_image(b"shared", b"x86", b"twice", b"twice")
    source.add({"manifests": [{"digest": arm}, {"digest": x86}]}, INDEX_TYPE, tag="v1")
    copy("v1")
    assert target == source
    assert sorted(ecr.uploaded_digests) == sorted(source.layers)


@pytest.mark.parametrize("error", [Exceptions.ImageAlreadyExistsException, Exceptions.ImageTagAlreadyExistsException])
def test_existing_images_and_layers_are_not_copied_again(ecr: Ecr, copy: Copy, error: type[Exception]) -> None:
    source, target = ecr.repositories.values()
    ecr.same_image_error = error
    source.add_image(b"base", b"old", tag="v1")
    copy("v1")
    ecr.uploaded_digests.clear()
    source.add_image(b"base", b"new", tag="v2")
    copy("v2")
    assert copy("v2") == target.tags["v2"]
    assert ecr.uploaded_digests == [digest_of(b"new")]
    assert target.tags == source.tags


BROKEN_DOWNLOADS: list[Fault] = ["reset", "cut off", "cut off by reset", "silence"]


@pytest.fixture
def copy_with_faults(ecr: Ecr, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that copies the image v1 from a real server. The first downloads have the given faults."""

    def copy_from_server(*faults: Fault) -> None:
        def answer(request: Request) -> Response:
            return Response(ecr.repositories["source"].layers[request.path.removeprefix("/")])

        def choose_fault(request: Request) -> Fault | None:
            return faults[request.earlier] if request.earlier < len(faults) else None

        with run_faulty_server(answer, choose_fault) as url:
            monkeypatch.setattr(
                ecr,
                "get_download_url_for_layer",
                lambda *, layerDigest, **_: {"downloadUrl": f"{url}/{layerDigest}"},
            )
            http = urllib3.PoolManager(retries=urllib3.Retry(0), timeout=0.2)
            Registry(ecr, http).copy("source", "target", "v1")  # type: ignore[arg-type] # the fake has all methods

    return copy_from_server


@pytest.mark.parametrize("fault", BROKEN_DOWNLOADS)
def test_a_layer_is_copied_again_when_its_download_breaks_off(
    ecr: Ecr, copy_with_faults: Callable[..., None], fault: Fault
) -> None:
    source, target = ecr.repositories.values()
    source.add_image(b"a" * (2 * PART_SIZE + 1), tag="v1")
    copy_with_faults(fault, fault)
    assert target == source


def test_the_error_says_that_a_layer_cannot_be_downloaded(ecr: Ecr, copy_with_faults: Callable[..., None]) -> None:
    source, target = ecr.repositories.values()
    source.add_image(b"a" * PART_SIZE, tag="v1")
    with pytest.raises(CopyError, match=r"layer sha256:.* of source cannot be downloaded: .*; deploy again") as raised:
        copy_with_faults(*["cut off"] * LAYER_ATTEMPTS)
    assert isinstance(raised.value.__cause__, urllib3.exceptions.HTTPError)
    assert target.tags == {}


def test_a_tag_of_another_image_is_not_moved(ecr: Ecr, copy: Copy) -> None:
    source, target = ecr.repositories.values()
    existing_digest = target.add_image(b"mine", tag="v1")
    source.add_image(b"yours", tag="v1")
    with pytest.raises(CopyError, match="tag v1 of target belongs to another image"):
        copy("v1")
    assert target.tags["v1"] == existing_digest


def test_the_error_names_a_missing_image_or_layer(ecr: Ecr, copy: Copy) -> None:
    source, target = ecr.repositories.values()
    reason = r"source has no image .*v1.* to copy .*Requested image not found.*deploy again"
    with pytest.raises(CopyError, match=reason):
        copy("v1")
    source.add_image(b"lost", tag="v1")
    del source.layers[digest_of(b"lost")]
    with pytest.raises(CopyError, match="HTTP 404"):
        copy("v1")
    assert target.tags == {}
