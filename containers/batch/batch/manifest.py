"""The manifest is the report of a child: one line for each picture, and the totals."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from tenacity import Retrying

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_BYTES = 5 * 1024**2
"""S3's minimum size of a part of an upload. The manifest keeps at most one part in memory.
S3 accepts 10,000 parts, which is about 500 million lines."""
Outcome = Literal["made", "skipped", "rejected", "failed"]


@dataclass
class Manifest:
    """Writes `<name>.jsonl` with a line for each picture. S3 shows the object only after `close`.

    Only one thread may call the methods. `name` is the first part of both keys, such as `manifests/<job id>/00000.1`
    for child 0 and attempt 1. `add` and `close` raise AWS_ERRORS if S3 refuses the manifest.
    """

    s3: "S3Client"
    repeat: Retrying
    bucket: str
    name: str
    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(get_args(Outcome), 0))
    """Number of pictures by outcome."""

    def __post_init__(self) -> None:
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[CompletedPartTypeDef] = []

    def add(self, outcome: Outcome, key: str, **more: Any) -> None:
        """Add the line of one picture."""
        self.counts[outcome] += 1
        line = {"outcome": outcome, "key": key, **more}
        self._buffer += json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        if len(self._buffer) >= PART_BYTES:
            self._send_part()

    def close(self, **totals: Any) -> None:
        """Write the remaining lines. Then write `<name>.json` with the totals."""
        if self._upload_id is None:
            self._put("jsonl", bytes(self._buffer), "application/jsonl")
        else:
            if self._buffer:
                self._send_part()
            self.repeat(
                self.s3.complete_multipart_upload,
                **self._object("jsonl"),
                UploadId=self._upload_id,
                MultipartUpload={"Parts": self._parts},
            )
        self._put("json", json.dumps({**totals, **self.counts}).encode(), "application/json")

    def _put(self, suffix: str, body: bytes, content_type: str) -> None:
        self.repeat(self.s3.put_object, **self._object(suffix), Body=body, ContentType=content_type)

    def _send_part(self) -> None:
        if self._upload_id is None:
            upload = self.repeat(
                self.s3.create_multipart_upload, **self._object("jsonl"), ContentType="application/jsonl"
            )
            self._upload_id = upload["UploadId"]
        number = len(self._parts) + 1
        part = self.repeat(
            self.s3.upload_part,
            **self._object("jsonl"),
            UploadId=self._upload_id,
            PartNumber=number,
            Body=bytes(self._buffer),
        )
        self._parts.append({"ETag": part["ETag"], "PartNumber": number})
        self._buffer.clear()

    def _object(self, suffix: str) -> dict[str, Any]:
        return {"Bucket": self.bucket, "Key": f"{self.name}.{suffix}"}
