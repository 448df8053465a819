"""The page of both thumbnail examples: upload pictures, and see the thumbnail and the item of each."""

from collections.abc import Mapping, Sequence
from tempfile import SpooledTemporaryFile
from typing import IO, Any, ClassVar
from urllib.parse import unquote

import anyio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from console.account import ERRORS
from console.examples import Example
from console.live import Fragments
from console.page import Action, ActionError, ExamplePage, Form
from console.stored_objects import PICTURE_TYPES, object_response
from console.uploads import MAX_READ, dead_letter_count, dead_letters, read_item, read_pictures

NEWEST = 50
"""The page shows this number of pictures."""
MAX_UPLOAD_BYTES = 100 * 1024**2
"""Maximum size of an upload from the page. It is more than the function accepts, so the page can show this rejection.
The local AWS keeps all objects in memory, so the maximum is much less than that of S3."""
MEMORY_BYTES = 1024**2
"""A larger upload waits in a temporary file until it is complete."""
MAX_KEY_BYTES = 1024
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
STATE_CLASSES = {"made": "good", "rejected": "bad", "being processed": "warm", "being removed": "warm"}
CACHE_SECONDS = 3600
"""A new thumbnail has a new key, so the browser may keep a thumbnail."""


class PicturePage(ExamplePage):
    """The page of an example whose function makes a thumbnail of each uploaded picture."""

    template: ClassVar[str] = "picture_page.html"

    def values(self, example: Example) -> Mapping[str, Any]:
        """Return the limits of an upload."""
        del example
        return {"max_bytes": MAX_UPLOAD_BYTES}

    def live(self, example: Example) -> Fragments:
        """Return the pictures, how many there are, and the dead letters."""
        self._outputs = outputs = example.outputs
        pictures = read_pictures(
            self.account.client("s3"),
            self.account.client("dynamodb"),
            bucket=outputs["UploadsBucketName"],
            table=outputs["MetadataTableName"],
            count=NEWEST,
        )
        sqs, queue = self.account.client("sqs"), outputs["DeadLetterQueueUrl"]
        count = dead_letter_count(sqs, queue)
        letters = dead_letters(sqs, queue) if count and self.account.is_local else []
        return {
            "summary": self.render("_picture_summary.html", pictures=pictures, max_read=MAX_READ),
            "pictures": {
                picture.id: self.render(
                    "_picture_card.html", example=example, picture=picture, kind=STATE_CLASSES[picture.state]
                )
                for picture in pictures.newest
            },
            "dead-letters": self.render("_picture_dead_letters.html", count=count, letters=letters),
        }

    def actions(self) -> Mapping[str, Action]:
        """Return the action that removes a picture."""
        return {"remove": Action(self._remove)}

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes for uploads, pictures and thumbnails.

        The key is a parameter, because browsers change a path with `..` or `//`.
        """
        path = f"/examples/{self.stem()}"
        return [
            Route(f"{path}/pictures", self._upload, methods=["PUT"]),
            Route(f"{path}/pictures", self._picture),
            Route(f"{path}/thumbnails", self._thumbnail),
        ]

    def _remove(self, example: Example, form: Form) -> str:
        key = unquote(form.get("key", ""))  # a form would change the line breaks in a key that is not encoded
        if not key:
            raise ActionError("Choose a picture to remove.")
        self.account.client("s3").delete_object(Bucket=example.outputs["UploadsBucketName"], Key=key)
        return f"{key} is removed. The function now deletes its thumbnail and its item."

    async def _upload(self, request: Request) -> Response:
        key = request.query_params.get("key", "")
        if not self.account.is_local:
            return PlainTextResponse("The console changes nothing in a real account.\n", status_code=403)
        if not 1 <= len(key.encode()) <= MAX_KEY_BYTES:
            return PlainTextResponse(f"S3 allows keys of 1 to {MAX_KEY_BYTES:,} bytes.\n", status_code=400)
        with SpooledTemporaryFile(MEMORY_BYTES) as file:
            async for chunk in request.stream():
                file.write(chunk)
                if file.tell() > MAX_UPLOAD_BYTES:
                    reason = f"The page accepts at most {MAX_UPLOAD_BYTES // 1024**2} MiB.\n"
                    return PlainTextResponse(reason, status_code=413)
            file.seek(0)
            try:
                await anyio.to_thread.run_sync(self._store, key, file)
            except ERRORS as error:
                return PlainTextResponse(f"{self.account.explanation(error)}\n", status_code=503)
        return Response(status_code=204)

    def _store(self, key: str, file: IO[bytes]) -> None:
        # This method divides a large file into parts, so that it needs little memory.
        self.account.client("s3").upload_fileobj(file, self.outputs()["UploadsBucketName"], key)

    def _picture(self, request: Request) -> Response:
        try:
            key, outputs = request.query_params.get("key", ""), self.outputs()
            item = read_item(self.account.client("dynamodb"), outputs["MetadataTableName"], key) if key else {}
            content_type = PICTURE_TYPES.get(item.get("format", ""))
            return self._object(outputs["UploadsBucketName"], key, content_type)
        except ERRORS as error:
            return PlainTextResponse(f"{self.account.explanation(error)}\n", status_code=503)

    def _thumbnail(self, request: Request) -> Response:
        try:
            key, bucket = request.query_params.get("key", ""), self.outputs()["ThumbnailsBucketName"]
            return self._object(bucket, key, "image/webp", seconds=CACHE_SECONDS)
        except ERRORS as error:
            return PlainTextResponse(f"{self.account.explanation(error)}\n", status_code=503)

    def _object(self, bucket: str, key: str, content_type: str | None, *, seconds: int = 0) -> Response:
        if not key:
            return PlainTextResponse("The parameter key is missing.\n", status_code=400)
        return object_response(self.account.client("s3"), bucket, key, content_type, seconds=seconds)
