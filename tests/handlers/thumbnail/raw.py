"""Functions that return PNG and TIFF files with given pixels. The tests need files that Pillow cannot write."""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence

SIZE = WIDTH, HEIGHT = 320, 200

Entries = Mapping[int, tuple[int, Sequence[int]]]
"""The type and the values of each tag of a TIFF directory."""
BYTE, SHORT, LONG, RATIONAL = 1, 3, 4, 5
_STRUCT_CODES = {BYTE: "B", SHORT: "H", LONG: "L", RATIONAL: "L"}


def split(data: bytes, size: int) -> list[bytes]:
    """Return the data in parts of equal size."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def convert_rows(data: bytes, row_bytes: int, convert: Callable[[bytes], bytes]) -> bytes:
    """Return the data with each row converted. Equal rows are converted once, because a test picture has few others."""
    rows = split(data, row_bytes)
    converted = {row: convert(row) for row in set(rows)}
    return b"".join(converted[row] for row in rows)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG, with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_file(size: tuple[int, int], depth: int, colour_type: int, *chunks: bytes) -> bytes:
    """Return a PNG with these chunks between its header and its end."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, 0))
    return b"".join((b"\x89PNG\r\n\x1a\n", header, *chunks, png_chunk(b"IEND", b"")))


def png(depth: int, colour_type: int, pixels: bytes, *chunks: bytes) -> bytes:
    """Return a PNG of SIZE with these pixels. The other chunks come before the pixels."""
    rows = b"".join(b"\0" + row for row in split(pixels, len(pixels) // HEIGHT))
    return png_file(SIZE, depth, colour_type, *chunks, png_chunk(b"IDAT", zlib.compress(rows)))


def tiff_directory(entries: Entries, offset: int, order: str = "<") -> bytes:
    """Return a TIFF directory that begins at this offset of the file. `order` is the byte order: "<" or ">"."""
    end = offset + 2 + 12 * len(entries) + 4
    table, long_values = b"", b""
    for tag, (kind, values) in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(values)}{_STRUCT_CODES[kind]}", *values)
        count = len(values) // (2 if kind == RATIONAL else 1)
        table += struct.pack(order + "HHL", tag, kind, count)
        is_inline = len(packed) <= 4  # TIFF 6.0: a short value is stored in the entry, in place of an offset
        table += packed.ljust(4, b"\0") if is_inline else struct.pack(order + "L", end + len(long_values))
        long_values += b"" if is_inline else packed
    return struct.pack(order + "H", len(entries)) + table + bytes(4) + long_values


def tiff(
    bits: Sequence[int], photometric: int, pixels: bytes, order: str = "<", *, tags: Entries | None = None
) -> bytes:
    """Return a TIFF of SIZE with these pixels in one strip. `tags` adds or replaces entries of the directory."""
    entries: Entries = {
        256: (LONG, [WIDTH]),
        257: (LONG, [HEIGHT]),
        258: (SHORT, bits),
        259: (SHORT, [1]),
        262: (SHORT, [photometric]),
        273: (LONG, [8]),
        277: (SHORT, [len(bits)]),
        278: (LONG, [HEIGHT]),
        279: (LONG, [len(pixels)]),
        **(tags or {}),
    }
    offset = 8 + len(pixels)
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", offset)
    return header + pixels + tiff_directory(entries, offset, order)
