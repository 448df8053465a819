"""Checks the tables in a picture's header before Pillow reads them.

When Pillow opens a file, it makes Python objects of the file's tags. With a hostile file of 20 MB this takes gigabytes
of memory, or minutes, before a single pixel is decoded.
"""

import struct
from typing import BinaryIO

# Pillow makes Python objects of the numbers in a tag: 10 to 60 bytes for each byte of the file. Honest files stay far
# below these limits: 100,000 strips make a picture of 100,000 rows, and a camera's EXIF fits into one segment of 64 KB.
_MAX_TAG_VALUES = 100_000
MAX_EXIF_BYTES = 1 << 20
"""Larger EXIF is not read."""

# A progressive JPEG usually has ten scans, and a phone's file may hold three pictures.
_MAX_SCANS = 100

# JPEG (ITU-T T.81, table B.1): the marker at which Pillow stops reading the header, and the markers without a length.
_START_OF_SCAN, _APP1 = 0xDA, 0xE1
_MARKERS_WITHOUT_LENGTH = frozenset({0x00, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})

# TIFF 6.0, section 2, and BigTIFF: types and tags of a directory's entries.
_BIG_TIFF = 43
_MAX_ENTRIES = 65_535
_PACKED_TYPES = frozenset({1, 2, 7})  # BYTE, ASCII, UNDEFINED: Pillow keeps these values packed ...
_UNPACKED_TAGS = frozenset({258, 273, 320, 324, 338, 339})  # ... except in these tags, because it iterates over them
_SUBDIRECTORY_TAGS = frozenset({34665, 34853, 40965})  # EXIF, GPS, interoperability: Pillow unpacks every entry
_OFFSET_TYPES = frozenset({4, 13, 16, 18})  # LONG, IFD, LONG8, IFD8


def check_headers(source: BinaryIO) -> None:
    """Check the tables of a JPEG or TIFF. Other formats have no table that makes Pillow waste memory or time.

    Raises ValueError for a file that would cost far more memory or time than its size suggests.
    """
    source.seek(0)
    header = source.read(16)
    if header.startswith(b"\xff\xd8"):
        _check_jpeg(source)
    elif header.startswith((b"II", b"MM")):
        _check_tiff(source, header)


def _check_jpeg(source: BinaryIO) -> None:
    # Pillow skips rubbish between the markers and joins all segments of EXIF, so this loop does the same.
    source.seek(0)
    exif = 0
    while byte := source.read(1):
        if byte != b"\xff":
            continue
        while byte == b"\xff":
            byte = source.read(1)
        marker = int.from_bytes(byte)
        if marker == _START_OF_SCAN:
            _check_scans(source)
            return
        if marker in _MARKERS_WITHOUT_LENGTH:
            continue
        segment = source.read(max(0, int.from_bytes(source.read(2)) - 2))
        exif += len(segment) if marker == _APP1 and segment.startswith(b"Exif") else 0
        if exif > MAX_EXIF_BYTES:
            raise ValueError(f"more than {MAX_EXIF_BYTES:,} bytes of EXIF")


def _check_scans(source: BinaryIO) -> None:
    # A progressive picture may have any number of scans, and the decoder processes every pixel again for each.
    # Inside a scan's data 0xFF is followed by 0x00, so the two bytes 0xFF 0xDA are always a marker.
    scans, last = 1, b""
    while chunk := source.read(1 << 20):
        scans += (last + chunk).count(b"\xff\xda")
        last = chunk[-1:]
    if scans > _MAX_SCANS:
        raise ValueError(f"{scans:,} scans")


def _check_tiff(source: BinaryIO, header: bytes) -> None:
    order = "<" if header.startswith(b"II") else ">"
    big = header[2] == _BIG_TIFF
    length, entry = (struct.Struct(order + form) for form in (("Q", "HHQQ") if big else ("H", "HHLL")))
    pending = list(struct.unpack_from(order + ("Q" if big else "L"), header, 8 if big else 4))
    seen: set[int] = set()
    while pending:
        source.seek(pending.pop())
        (entries,) = length.unpack(source.read(length.size).ljust(length.size, b"\0"))
        table = source.read(entry.size * min(entries, _MAX_ENTRIES))
        for tag, kind, count, value in entry.iter_unpack(table[: len(table) // entry.size * entry.size]):
            unpacked = kind not in _PACKED_TYPES or tag in _UNPACKED_TAGS
            wrong_type = tag in _SUBDIRECTORY_TAGS and kind not in _OFFSET_TYPES
            if wrong_type or entries > _MAX_ENTRIES or (unpacked and count > _MAX_TAG_VALUES):
                raise ValueError(f"TIFF tag {tag} of type {kind} counts {count:,} values in {entries:,} entries")
            if tag in _SUBDIRECTORY_TAGS and value not in seen:
                seen.add(value)
                pending.append(value)
