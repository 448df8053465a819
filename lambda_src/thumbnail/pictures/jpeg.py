"""Reads the markers of JPEG files, and prepares the files for Pillow (ITU-T T.81, annex B).

A marker is the byte 0xFF and a second byte. In the data of a scan, 0x00 or the number of a restart follows 0xFF.
"""

import io
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, cast

from PIL import Image

from thumbnail.pictures.rejections import UnsupportedError
from thumbnail.pictures.splice import SplicedFile

MAX_EXIF_BYTES = 1 << 20
"""Maximum size of the EXIF metadata. A camera writes at most 64 KB."""
_MAX_SCANS = 100
"""Maximum number of scans. A progressive JPEG usually has ten. The decoder processes every pixel again in each scan."""
_MAX_MARKERS = 10_000
"""Maximum number of segments. More are only in files that are made to take much time."""

_START_OF_SCAN, _END_OF_PICTURE, _EXIF = 0xDA, 0xD9, 0xE1
# The application segments from which the decoder takes the kind of colours, the orientation and the ICC profile: their
# first bytes and their minimum length. All other application segments are ignored.
_NEEDED_APPLICATION_SEGMENTS = {
    0xE0: (b"JFIF\0", 14),
    _EXIF: (b"Exif\0\0", 6),
    0xE2: (b"ICC_PROFILE\0", 14),
    0xEE: (b"Adobe", 12),
}
_APPLICATION_SEGMENTS = frozenset(range(0xE0, 0xF0))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xDE}
_LOSSLESS = 0xC3
_PROGRESSIVE = frozenset({0xC2, 0xCA})
_SUPPORTED_FRAMES = frozenset({0xC0, 0xC1, 0xC2, _LOSSLESS, 0xC9, 0xCA})
"""Baseline, extended, progressive and lossless, and the second and third also with arithmetic coding."""
_MARKERS_WITHOUT_LENGTH = frozenset({0x00, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})
_MARKER = re.compile(rb"\xff+([^\xff]?)", re.DOTALL)
_BLOCK_BYTES = 1 << 12
_MARKER_IN_SCAN = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])")
_RANDOM_DATA = bytes(byte for byte in range(1, 255)) * 64


def open_jpeg(source: BinaryIO) -> Image.Image:
    """Return the picture of a JPEG file. Pillow has not decoded its pixels yet.

    Pillow gets the file without the segments that a thumbnail does not need, because it rejects the whole picture if
    one of them is wrong. `info["is_lossless"]` says whether the file is a lossless JPEG.

    Raises UnsupportedError for a kind of JPEG that the decoder lacks, and for one that needs far too much memory or
    time.
    """
    segments = list(_segments(source))
    start = source.tell()
    for marker, content in segments:
        if marker in _FRAMES:
            _check_frame(marker, content)
    if sum(len(content) for marker, content in segments if marker == _EXIF) > MAX_EXIF_BYTES:
        raise UnsupportedError(f"more than {MAX_EXIF_BYTES:,} bytes of EXIF")
    if _may_have_more_scans(segments, source):
        _check_scans(source)
    # The profile must come before the frame, because Pillow ignores it afterwards.
    segments.sort(key=lambda segment: segment[0] not in _NEEDED_APPLICATION_SEGMENTS)
    head = b"\xff\xd8" + b"".join(
        struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content for marker, content in segments
    )
    spliced = SplicedFile(head + bytes((0xFF, _START_OF_SCAN)), source, range(start, source.seek(0, io.SEEK_END)))
    picture = Image.open(cast("BinaryIO", spliced), formats=("JPEG",))
    picture.info["is_lossless"] = any(marker == _LOSSLESS for marker, _ in segments)
    return picture


def _segments(source: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the marker and the content of each needed segment. Stop at the first scan."""
    source.seek(0)
    for _ in range(_MAX_MARKERS):
        marker = _next_marker(source)
        if marker == _START_OF_SCAN:
            return
        if marker in _MARKERS_WITHOUT_LENGTH:
            continue
        content = source.read(max(0, int.from_bytes(source.read(2)) - 2))
        if marker in _NEEDED_APPLICATION_SEGMENTS:
            signature, minimum_length = _NEEDED_APPLICATION_SEGMENTS[marker]
            is_needed = content.startswith(signature) and len(content) >= minimum_length
        else:
            is_needed = marker not in _APPLICATION_SEGMENTS
        if is_needed:
            yield marker, content
    raise UnsupportedError(f"{_MAX_MARKERS:,} markers before the first scan")


def _next_marker(source: BinaryIO) -> int:
    """Return the second byte of the next marker. Decoders skip invalid bytes between the segments."""
    while block := source.read(_BLOCK_BYTES):
        found = _MARKER.search(block)
        if found and found[1]:
            source.seek(found.end() - len(block), io.SEEK_CUR)
            return found[1][0]
        if found and len(block) > 1:  # the second byte of the marker is in the next block
            source.seek(-1, io.SEEK_CUR)
    raise ValueError("there is no scan")


def _check_frame(marker: int, segment: bytes) -> None:
    depth, height, channels = segment[0:1], segment[1:3], segment[5:6]
    if marker not in _SUPPORTED_FRAMES:
        raise UnsupportedError(f"JPEG with the frame marker {marker:X}")
    if depth != b"\x08" or channels not in {b"\1", b"\3", b"\4"}:
        raise UnsupportedError(f"{depth.hex()} bits in {channels.hex()} channels")
    if height == bytes(2):
        raise UnsupportedError("a height that follows the first scan (marker DNL)")


def _may_have_more_scans(segments: list[tuple[int, bytes]], source: BinaryIO) -> bool:
    """Whether the decoder reads more scans than the first one, which begins at the position of `source`.

    Most cameras write one scan with all channels. Then the decoder stops after it, and nobody needs to count the scans.
    """
    start = source.tell()
    scan_channels = source.read(3)[2:]
    source.seek(start)
    return any(
        marker in _PROGRESSIVE or scan_channels != content[5:6] for marker, content in segments if marker in _FRAMES
    )


def _check_scans(source: BinaryIO) -> None:
    # Counting the two bytes of the marker is fast. It also counts bytes in segments, and in data behind the picture, so
    # only a large count is checked marker by marker.
    start = source.tell()
    count, last_byte = 1, b""
    while chunk := source.read(1 << 20):
        count += (last_byte + chunk).count(b"\xff\xda")
        last_byte = chunk[-1:]
    if count > _MAX_SCANS:
        source.seek(start)
        _check_scans_by_markers(source.read())


def _check_scans_by_markers(data: bytes) -> None:
    scans, position = 1, 0
    for _ in range(_MAX_MARKERS):
        found = _MARKER_IN_SCAN.search(data, position)
        if found is None or found[1][0] == _END_OF_PICTURE:
            return
        scans += found[1][0] == _START_OF_SCAN
        if scans > _MAX_SCANS:
            raise UnsupportedError(f"more than {_MAX_SCANS} scans")
        position = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
    raise UnsupportedError(f"more than {_MAX_MARKERS:,} markers")


def with_two_endings(source: BinaryIO) -> tuple[BinaryIO, BinaryIO]:
    """Return two copies of a JPEG whose end is missing, each with another ending.

    If both copies show the same picture, no row of pixels is missing.
    """
    source.seek(0)
    data = source.read().rstrip(b"\xff")
    return io.BytesIO(data + b"\xff\xd9"), io.BytesIO(data + _RANDOM_DATA + b"\xff\xd9")
