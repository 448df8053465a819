"""Answers with objects of S3. Anybody may have uploaded them, so a browser must not run their content."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError
from starlette.responses import PlainTextResponse, Response, StreamingResponse

MISSING = ("NoSuchKey", "404", "InvalidObjectState")
"""Codes of errors: no object has this key, or the object is in an archive."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
"""With these headers, a browser runs no script in an object, and does not guess another content type."""
PICTURE_TYPES: Mapping[str, str] = {
    name: f"image/{name.lower()}" for name in ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "TIFF", "BMP")
}
"""Content types by the format in an item of the thumbnail example."""


def object_response(s3: Any, bucket: str, key: str, content_type: str | None, *, seconds: int = 0) -> Response:
    """Return the object as the content of a response. Without a content type, the browser saves it as a file.

    The browser may keep the object for `seconds`. Raises botocore's errors.
    """
    try:
        found = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in MISSING:
            return PlainTextResponse("S3 has no such object that it can read.\n", status_code=404)
        raise
    headers = {**HEADERS, "Content-Length": str(found["ContentLength"])}
    if seconds:
        headers["Cache-Control"] = f"private, max-age={seconds}"
    if content_type is None:
        headers["Content-Disposition"] = "attachment"
    body = found["Body"].iter_chunks(64 * 1024)
    return StreamingResponse(body, media_type=content_type or "application/octet-stream", headers=headers)
