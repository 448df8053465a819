"""How large a picture may be, and what it may cost: the same for the function and for the Batch job."""

from dataclasses import dataclass
from io import BytesIO

from thumbnail.imaging import Rejected, Thumbnail, make_thumbnail
from thumbnail.memory import bounded_memory


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a thumbnail is and what it may be made from."""

    max_edge: int
    """Longest edge of a thumbnail (pixels)."""
    max_bytes: int
    """Larger files are not read."""
    max_pixels: int
    """Larger pictures are not decoded."""
    max_decoding_bytes: int
    """Memory that a decoder gets."""

    def check_size(self, key: str, size: int) -> None:
        """Raise Rejected for a file that need not be read, by its size in bytes."""
        if size == 0:
            raise Rejected("This is a folder, not a file." if key.endswith("/") else "The file is empty.")
        if size > self.max_bytes:
            raise Rejected(f"The file has {size:,} bytes; the limit is {self.max_bytes:,}.")

    def thumbnail(self, data: bytes) -> Thumbnail:
        """Make the thumbnail of a picture. Raises Rejected. Not for threads: it bounds the process's memory."""
        try:
            with bounded_memory(self.max_decoding_bytes):
                return make_thumbnail(BytesIO(data), max_edge=self.max_edge, max_pixels=self.max_pixels)
        except MemoryError as error:  # any honest picture of max_pixels fits
            raise Rejected("The picture needs more memory than one of its size should.") from error
