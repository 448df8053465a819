"""Decodes PNG files with Pillow: without the chunks that are wrong or not needed, and with exact transparency."""

import struct
import zlib
from itertools import starmap
from typing import IO, BinaryIO, cast

from PIL import Image, ImageChops, PngImagePlugin

from thumbnail.pictures.png import SIGNATURE, Png
from thumbnail.pictures.splice import SplicedFile

_HIGHEST_DEPTH = 16


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content), name) + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))


def _transparency_for_pillow(png: Png) -> bytes | None:
    """Return the transparency. If channels have fewer than 8 bits, its values are those of Pillow's 8 bits."""
    colour = png.transparent_colour
    if colour is None or png.header.depth == _HIGHEST_DEPTH:
        return png.ancillary.get(b"tRNS")
    return b"".join(struct.pack(">H", value * 255 // (2**png.header.depth - 1)) for value in colour)


def open_png(png: Png, source: BinaryIO) -> Image.Image:
    """Return the picture of a PNG file. Pillow has not decoded its pixels yet."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", *png.header)), (b"PLTE", png.palette)]
    if transparency := _transparency_for_pillow(png):
        chunks.append((b"tRNS", transparency))
    head = SIGNATURE + b"".join(starmap(_chunk, chunks))
    return Image.open(cast("BinaryIO", SplicedFile(head, source, png.pixels)), formats=("PNG",))


# How Pillow decodes 16 bits per channel: the raw mode that it uses, the mode that the picture gets here, the raw mode
# of the high bytes, and the raw mode of the low bytes. In the last one, Pillow takes the bytes in the wrong order.
_RAW_MODES = {"I;16B": ("L", "L;16B", "L;16"), "RGB;16B": ("RGB", "RGB;16B", "RGB;16L")}


def decode_sixteen_bits(picture: Image.Image) -> Image.Image | None:
    """Return the picture with 8 bits per channel, and with the transparency that all its 16 bits define.

    Return None if Pillow can decode the picture. Pillow would compare a transparent colour with only 8 of the 16 bits.
    """
    if not isinstance(picture, PngImagePlugin.PngImageFile) or "transparency" not in picture.info:
        return None
    if not any(tile.args in _RAW_MODES for tile in picture.tile):
        return None
    mode, *raw_modes = _RAW_MODES[str(picture.tile[0].args)]
    transparency = picture.info["transparency"]
    colour = transparency if isinstance(transparency, tuple) else (transparency,)
    assert picture.fp is not None  # noqa: S101 - for the type checker
    high, low = (_decode_as(mode, raw_mode, picture.fp) for raw_mode in raw_modes)
    alpha = Image.new("L", high.size)
    for decoded, shift in ((high, 8), (low, 0)):
        for band, value in zip(decoded.split(), colour, strict=True):
            byte = value >> shift & 255
            alpha = ImageChops.lighter(alpha, band.point([255 * (level != byte) for level in range(256)]))
    high.putalpha(alpha)
    return high


def _decode_as(mode: str, raw_mode: str, file: IO[bytes]) -> Image.Image:
    file.seek(0)
    picture = PngImagePlugin.PngImageFile(file)
    picture._mode = mode  # noqa: SLF001 - Pillow offers no other way to choose how a PNG is decoded
    picture.tile = [tile._replace(args=raw_mode) for tile in picture.tile]
    picture.load()
    return picture
