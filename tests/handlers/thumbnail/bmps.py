"""BMPs of unusual kinds. Pillow rejects most of these kinds, and ignores some alpha channels and colour profiles."""

import struct
from collections.abc import Sequence
from functools import partial

from PIL import Image

from tests.handlers.thumbnail.pictures import Picture, scene
from tests.handlers.thumbnail.raw import HEIGHT, WIDTH, convert_rows, split

V1, V3, V4, V5 = 40, 56, 108, 124
"""Sizes of the headers of Windows."""
UNCOMPRESSED, MASKS, JPEG, PNG, MASKS_WITH_ALPHA = 0, 3, 4, 5, 6
"""Values of the field "compression"."""

Masks = tuple[int, int, int, int]
"""Which bits of a pixel contain red, green, blue and alpha."""


def bmp(
    bits: int,
    rows: Sequence[bytes],
    *,
    header_size: int = V1,
    compression: int = UNCOMPRESSED,
    header_end: bytes = b"",
    tables: bytes = b"",
    colours: int = 0,
    is_top_down: bool = False,
) -> bytes:
    """Return a BMP of SIZE. `header_end` is the header after its first 40 bytes, and `tables` follow the header."""
    padded = [row.ljust(-(-len(row) // 4) * 4, b"\0") for row in rows]
    pixels = b"".join(padded if is_top_down else reversed(padded))
    height = -HEIGHT if is_top_down else HEIGHT
    header = struct.pack(
        "<LllHHLLllLL", header_size, WIDTH, height, 1, bits, compression, len(pixels), 0, 0, colours, 0
    )
    header = (header + header_end).ljust(header_size, b"\0") + tables
    offset = 14 + len(header)
    return b"BM" + struct.pack("<LLL", offset + len(pixels), 0, offset) + header + pixels


def _masked_value(colour: Sequence[int], masks: Masks) -> int:
    value = 0
    for channel, mask in zip(colour, masks, strict=True):
        shift = (mask & -mask).bit_length() - 1 if mask else 0
        value |= round(channel * (mask >> shift) / 255) << shift
    return value


def masked(bits: int, masks: Masks, image: Image.Image, *, header_size: int = V4, is_top_down: bool = False) -> bytes:
    """Return a BMP whose pixels contain their colours at the places of these masks."""
    code = {16: "<H", 32: "<L"}[bits]

    def convert(row: bytes) -> bytes:
        return b"".join(struct.pack(code, _masked_value(colour, masks)) for colour in split(row, 4))

    pixels = convert_rows(image.convert("RGBA").tobytes(), WIDTH * 4, convert)
    packed_masks = struct.pack("<4L", *masks)
    return bmp(
        bits,
        split(pixels, WIDTH * bits // 8),
        header_size=header_size,
        compression=MASKS if header_size > V1 else MASKS_WITH_ALPHA,
        header_end=packed_masks,
        is_top_down=is_top_down,
    )


def _without_alpha_mask(bits: int, masks: tuple[int, int, int]) -> bytes:
    """Return a BMP with the old header, after which only three masks come."""
    whole = masked(bits, (*masks, 0), scene(), header_size=V4)
    pixels = whole[14 + V4 :]
    row_bytes = WIDTH * bits // 8
    rows = split(pixels, row_bytes)[::-1]
    return bmp(bits, rows, compression=MASKS, tables=struct.pack("<3L", *masks))


MASKS_BY_NAME: dict[str, tuple[int, Masks]] = {
    "1555": (16, (0x7C00, 0x03E0, 0x001F, 0x8000)),
    "5551": (16, (0xF800, 0x07C0, 0x003E, 0x0001)),
    "565": (16, (0xF800, 0x07E0, 0x001F, 0)),
    "565-blue-first": (16, (0x001F, 0x07E0, 0xF800, 0)),
    "8888": (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
    "8888-red-first": (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
    "8888-alpha-first": (32, (0xFF00, 0xFF0000, 0xFF000000, 0xFF)),
    "888-blue-first": (32, (0xFF, 0xFF00, 0xFF0000, 0)),
    "2-10-10-10": (32, (0x3FF00000, 0x000FFC00, 0x000003FF, 0xC0000000)),
    "11-11-10": (32, (0xFFE00000, 0x001FFC00, 0x000003FF, 0)),
}
"""The bits of a pixel, and the masks."""


def _palette(bits: int, colours: int) -> bytes:
    image = scene().quantize(4, dither=Image.Dither.NONE)
    used = split(bytes(image.getpalette() or []), 3)
    table = b"".join(colour[::-1] + b"\0" for colour in used).ljust(4 * colours, b"\0")

    def pack_row(row: bytes) -> bytes:
        cells = split(row, 8 // bits)
        return bytes(sum(value << bits * (8 // bits - 1 - place) for place, value in enumerate(cell)) for cell in cells)

    packed = convert_rows(image.tobytes(), WIDTH, pack_row)
    return bmp(bits, split(packed, WIDTH * bits // 8), tables=table, colours=colours)


COLOUR_BMPS: dict[str, Picture] = {
    **{name: partial(masked, bits, masks, scene()) for name, (bits, masks) in MASKS_BY_NAME.items()},
    "top-down": partial(masked, *MASKS_BY_NAME["1555"], scene(), is_top_down=True),
    "v3-header": partial(masked, *MASKS_BY_NAME["1555"], scene(), header_size=V3),
    "old-header-with-alpha": partial(masked, *MASKS_BY_NAME["1555"], scene(), header_size=V1),
    "old-header": lambda: _without_alpha_mask(32, (0xFF, 0xFF00, 0xFF0000)),
    "palette-2-bits": lambda: _palette(2, 4),
    "palette-with-unused-colours": lambda: _palette(8, 300),
}
"""BMPs of the scene."""


def with_profile(kind: bytes, profile: bytes) -> bytes:
    """Return a BMP of the scene with a colour profile of this kind: "MBED" (in the file) or "LINK" (a file name)."""
    rows = split(scene().tobytes("raw", "BGR"), WIDTH * 3)
    header_end = bytes(16) + kind[::-1] + bytes(48) + struct.pack("<LLLL", 4, V5, len(profile), 0)
    return bmp(24, rows, header_size=V5, header_end=header_end, tables=profile)


def with_unused_alpha() -> bytes:
    """Return a BMP with an alpha channel in which all values are 0."""
    transparent = scene().convert("RGBA")
    transparent.putalpha(0)
    return masked(*MASKS_BY_NAME["1555"], transparent)


_ROW = [bytes(WIDTH * 8)] * HEIGHT
UNSUPPORTED_BMPS: dict[str, Picture] = {
    "jpeg": lambda: bmp(0, _ROW, compression=JPEG),
    "png": lambda: bmp(0, _ROW, compression=PNG),
    "64-bits": lambda: bmp(64, _ROW),
    "os2-rle-24": lambda: bmp(24, _ROW, header_size=64, compression=4),
    "os2-huffman": lambda: bmp(1, _ROW, header_size=64, compression=3),
    "os2-short-header": lambda: bmp(8, _ROW, header_size=64).replace(struct.pack("<L", 64), struct.pack("<L", 16), 1),
    "mask-with-gap": lambda: masked(16, (0x7C00, 0x03E0, 0x0015, 0), Image.new("RGB", (WIDTH, HEIGHT))),
}
