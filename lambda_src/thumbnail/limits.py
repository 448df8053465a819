"""Limits on the size of a picture and on the memory for decoding it. The function and the Batch job share them."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Self

from thumbnail.imaging import Rejected, Thumbnail, make_thumbnail
from thumbnail.memory import limit_memory


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The size of a thumbnail, and limits for the picture that it is made from."""

    max_edge: int
    """Longest edge of a thumbnail (pixels)."""
    max_bytes: int
    """Larger files are not read."""
    max_pixels: int
    """Larger pictures are not decoded."""
    max_decoding_bytes: int
    """Memory that a decoder may use."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the limits that a stack has set as environment variables."""
        return cls(
            max_edge=int(environment["MAX_EDGE"]),
            max_bytes=int(environment["MAX_BYTES"]),
            max_pixels=int(environment["MAX_PIXELS"]),
            max_decoding_bytes=int(environment["MAX_DECODING_BYTES"]),
        )

    def check_size(self, key: str, size: int) -> None:
        """Raise Rejected if a file of `size` bytes is empty or too large. Such a file need not be read."""
        if size == 0:
            raise Rejected("This is a folder, not a file." if key.endswith("/") else "The file is empty.")
        if size > self.max_bytes:
            raise Rejected(f"The file has {size:,} bytes; the limit is {self.max_bytes:,}.")

    def thumbnail(self, data: bytes) -> Thumbnail:
        """Return the thumbnail of a picture, or raise Rejected.

        Not safe in threads, because it limits the memory of the whole process.
        """
        try:
            with limit_memory(self.max_decoding_bytes):
                return make_thumbnail(BytesIO(data), max_edge=self.max_edge, max_pixels=self.max_pixels)
        except MemoryError as error:  # the limit is high enough for every honest picture of max_pixels
            raise Rejected("The picture needs more memory than one of its size should.") from error
