"""What a picture's own tables announce, looked at before Pillow unpacks it.

Opening a file, Pillow makes Python objects of its tags. A hostile one turns 20 MB into gigabytes that way, or into
minutes, without a single pixel.
"""

import struct
from typing import BinaryIO

# Pillow makes Python objects of the numbers in a tag, 10 to 60 bytes for each byte of the file. Honest files stay far
# below these limits: 100,000 strips are a picture of 100,000 rows, and a camera's EXIF fits into one segment of 64 KB.
_MAX_TAG_VALUES = 100_000
MAX_EXIF_BYTES = 1 << 20
"""What EXIF is read at all."""

# Ten scans are usual in a progressive JPEG, and a phone's file may hold three pictures.
_MAX_SCANS = 100

# JPEG (ITU-T T.81, table B.1): where Pillow stops reading the header, and which markers stand without a length.
_START_OF_SCAN, _APP1 = 0xDA, 0xE1
_BARE_MARKERS = frozenset({0x00, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})

# TIFF 6.0, section 2, and BigTIFF: types and tags of a directory's entries.
_BIG_TIFF = 43
_MAX_ENTRIES = 65_535
_BLOBS = frozenset({1, 2, 7})  # BYTE, ASCII, UNDEFINED: Pillow leaves them packed ...
_LISTS = frozenset({258, 273, 320, 324, 338, 339})  # ... except in these tags, through which it iterates
_SUBDIRECTORIES = frozenset({34665, 34853, 40965})  # EXIF, GPS, interoperability: Pillow unpacks every entry
_OFFSETS = frozenset({4, 13, 16, 18})  # LONG, IFD, LONG8, IFD8


def check_headers(source: BinaryIO) -> None:
    """Look through a JPEG's or TIFF's own tables; other formats have none that Pillow would be led astray by.

    Raises ValueError for a file that would cost far more memory or time than its bytes.
    """
    source.seek(0)
    header = source.read(16)
    if header.startswith(b"\xff\xd8"):
        _check_segments(source)
    elif header.startswith((b"II", b"MM")):
        _check_directories(source, header)


def _check_segments(source: BinaryIO) -> None:
    """Walk a JPEG's markers as Pillow does, rubbish between them included, for it joins all segments of EXIF."""
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
        if marker in _BARE_MARKERS:
            continue
        segment = source.read(max(0, int.from_bytes(source.read(2)) - 2))
        exif += len(segment) if marker == _APP1 and segment.startswith(b"Exif") else 0
        if exif > MAX_EXIF_BYTES:
            raise ValueError(f"more than {MAX_EXIF_BYTES:,} bytes of EXIF")


def _check_scans(source: BinaryIO) -> None:
    # A progressive picture may be refined for ever, and each time every pixel is gone through again. In a scan's data
    # 0xFF is followed by 0x00, so that these two bytes are always a marker.
    scans, last = 1, b""
    while chunk := source.read(1 << 20):
        scans += (last + chunk).count(b"\xff\xda")
        last = chunk[-1:]
    if scans > _MAX_SCANS:
        raise ValueError(f"{scans:,} scans")


def _check_directories(source: BinaryIO, header: bytes) -> None:
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
            unpacked = kind not in _BLOBS or tag in _LISTS
            strange = tag in _SUBDIRECTORIES and kind not in _OFFSETS
            if strange or entries > _MAX_ENTRIES or (unpacked and count > _MAX_TAG_VALUES):
                raise ValueError(f"TIFF tag {tag} of type {kind} counts {count:,} values in {entries:,} entries")
            if tag in _SUBDIRECTORIES and value not in seen:
                seen.add(value)
                pending.append(value)
