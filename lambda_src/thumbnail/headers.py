"""Checks the tables in a picture's header before Pillow reads them.

When Pillow opens a file, it creates Python objects for the file's tags. With a hostile file of 20 MB, this can take
gigabytes of memory or several minutes, before Pillow decodes the first pixel.
"""

import struct
from typing import BinaryIO

# Pillow creates Python objects for the numbers in a tag. These objects need 10 to 60 bytes of memory for each byte of
# the file. Normal files stay far below this limit: only a picture with at least 100,000 rows has 100,000 strips.
_MAX_TAG_VALUES = 100_000
# TIFF 6.0 (section 2) and BigTIFF: the types and tags of the entries of a directory.
_BIG_TIFF = 43
_MAX_ENTRIES = 65_535
_PACKED_TYPES = frozenset({1, 2, 7})  # BYTE, ASCII, UNDEFINED: Pillow stores all values of a tag as one object
_UNPACKED_TAGS = frozenset({258, 273, 320, 324, 338, 339})  # with these tags, Pillow creates an object for each value
_SUBDIRECTORY_TAGS = frozenset({34665, 34853, 40965})  # EXIF, GPS, interoperability: each contains a directory of tags
_OFFSET_TYPES = frozenset({4, 13, 16, 18})  # LONG, IFD, LONG8, IFD8: the valid types of an offset


def check_headers(source: BinaryIO) -> None:
    """Check the tables of a TIFF. In other formats, no table can make Pillow use too much memory or time.

    Raises ValueError if Pillow would need far more memory or time than for a normal file of this size.
    """
    source.seek(0)
    header = source.read(16)
    if header.startswith((b"II", b"MM")):
        _check_tiff(source, header)


def _check_tiff(source: BinaryIO, header: bytes) -> None:
    byte_order = "<" if header.startswith(b"II") else ">"
    is_big = header[2] == _BIG_TIFF
    count_struct = struct.Struct(byte_order + ("Q" if is_big else "H"))
    entry_struct = struct.Struct(byte_order + ("HHQQ" if is_big else "HHLL"))
    pending_offsets = list(struct.unpack_from(byte_order + ("Q" if is_big else "L"), header, 8 if is_big else 4))
    seen_offsets: set[int] = set()
    while pending_offsets:
        source.seek(pending_offsets.pop())
        (entry_count,) = count_struct.unpack(source.read(count_struct.size).ljust(count_struct.size, b"\0"))
        table = source.read(entry_struct.size * min(entry_count, _MAX_ENTRIES))
        whole_entries = table[: len(table) // entry_struct.size * entry_struct.size]
        for tag, kind, count, value in entry_struct.iter_unpack(whole_entries):
            is_unpacked = kind not in _PACKED_TYPES or tag in _UNPACKED_TAGS
            has_wrong_type = tag in _SUBDIRECTORY_TAGS and kind not in _OFFSET_TYPES
            if has_wrong_type or entry_count > _MAX_ENTRIES or (is_unpacked and count > _MAX_TAG_VALUES):
                raise ValueError(f"TIFF tag {tag} of type {kind} counts {count:,} values in {entry_count:,} entries")
            if tag in _SUBDIRECTORY_TAGS and value not in seen_offsets:
                seen_offsets.add(value)
                pending_offsets.append(value)
