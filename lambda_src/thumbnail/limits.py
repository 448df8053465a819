"""Limits the size of a picture and the memory for decoding, in the thumbnail function and in the Batch job."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Self

from thumbnail.imaging import Rejected, Thumbnail, make_thumbnail
from thumbnail.memory import limit_memory


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The size of a thumbnail, and the limits for the picture from which it is made."""

    max_edge: int
    """Longest edge of a thumbnail (pixels)."""
    max_bytes: int
    """Maximum size of a file. A larger file is not read."""
    max_pixels: int
    """Maximum width times height of a picture. A larger picture is not decoded."""
    max_decoding_bytes: int
    """Memory that a decoder may use (bytes)."""

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
        """Raise Rejected if a file of `size` bytes is empty or too large. The file itself is not needed."""
        if size == 0:
            raise Rejected("This is a folder, not a file." if key.endswith("/") else "The file is empty.")
        if size > self.max_bytes:
            raise Rejected(f"The file has {size:,} bytes; the limit is {self.max_bytes:,}.")

    def make_thumbnail(self, source: BinaryIO) -> Thumbnail:
        """Return the thumbnail of a picture, or raise Rejected. The whole picture must be in memory or in a local file.

        This method limits the memory of the whole process, so only one thread may call it at a time.
        """
        try:
            with limit_memory(self.max_decoding_bytes):
                return make_thumbnail(source, max_edge=self.max_edge, max_pixels=self.max_pixels)
        except MemoryError as error:  # a normal picture of `max_pixels` needs less memory than the limit
            raise Rejected("The picture needs more memory than one of its size should.") from error
