"""Decodes BMPs.

Pillow decodes the usual kinds. This module decodes the other kinds of uncompressed pixels: colours of any number of
bits, an alpha channel of any number of bits, and palettes of 2 bits or with unused colours.

Documentation: "BITMAPV5HEADER structure" by Microsoft. The "BMP Suite" by Jason Summers has files of all kinds.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO, Self

from PIL import BmpImagePlugin, Image, ImageMath

from thumbnail.pictures.rejections import UnsupportedError

_FILE_HEADER_BYTES = 14
_OS2_V1, _WINDOWS, _V2, _V3, _OS2_V2, _V4, _V5 = 12, 40, 52, 56, 64, 108, 124
"""Sizes of the header. Each kind of header has another size."""
# In an OS/2 header, the numbers from 3 have other meanings.
_UNCOMPRESSED, _RLE8, _RLE4, _MASKS, _MASKS_WITH_ALPHA = 0, 1, 2, 3, 6
_COMPRESSIONS = frozenset({_UNCOMPRESSED, _RLE8, _RLE4, _MASKS, _MASKS_WITH_ALPHA})
_BITS = frozenset({1, 2, 4, 8, 16, 24, 32})
_EMBEDDED_PROFILE = b"DEBM"  # "MBED" in the byte order of the file

# Pillow decodes these masks (red, green, blue, alpha) faster than this module.
_NO_MASKS = (0, 0, 0, 0)
_PALETTE_RAWMODES = {1: "P;1", 2: "P;2", 4: "P;4", 8: "P"}
_MASKS_OF_PILLOW = {
    (16, (0xF800, 0x07E0, 0x001F, 0)),
    (16, (0x7C00, 0x03E0, 0x001F, 0)),
    (32, (0xFF0000, 0xFF00, 0xFF, 0)),
    (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
    (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
    (32, (0xFF000000, 0xFF0000, 0xFF00, 0xFF)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bmp:
    """The header of a BMP."""

    header_size: int
    pixel_offset: int
    """Place of the pixels in the file (bytes)."""
    width: int
    height: int
    is_top_down: bool
    bits: int
    compression: int
    palette_colours: int
    masks: tuple[int, int, int, int]
    """For red, green, blue and alpha: which bits of a pixel contain the value. 0 means that there is no such value."""

    @property
    def has_unusual_palette(self) -> bool:
        """Whether Pillow does not support the palette, because of 2 bits per pixel or because of unused colours."""
        return self.bits not in {1, 4, 8} or self.palette_colours > 2**self.bits

    @classmethod
    def read(cls, source: BinaryIO) -> Self:
        """Return the header. Raises UnsupportedError, or struct.error if the header is incomplete."""
        source.seek(0)
        data = source.read(_FILE_HEADER_BYTES + _V5)
        pixel_offset, header_size = struct.unpack_from("<LL", data, 10)
        if header_size not in {_OS2_V1, _WINDOWS, _V2, _V3, _OS2_V2, _V4, _V5}:
            raise UnsupportedError(f"header of {header_size} bytes")
        if header_size == _OS2_V1:
            width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
            compression = palette_colours = 0
        else:
            width, height, _, bits, compression, palette_colours = struct.unpack_from("<LlHHL12xL", data, 18)
        if bits not in _BITS or compression not in _COMPRESSIONS or (header_size == _OS2_V2 and compression >= _MASKS):
            raise UnsupportedError(f"{bits} bits, compression {compression}")
        has_masks = compression in {_MASKS, _MASKS_WITH_ALPHA}
        mask_count = 4 if header_size >= _V3 or compression == _MASKS_WITH_ALPHA else 3
        masks = [*struct.unpack_from(f"<{mask_count if has_masks else 0}L", data, 54), *_NO_MASKS]
        return cls(
            header_size=header_size,
            pixel_offset=pixel_offset,
            width=width,
            height=abs(height),
            is_top_down=height < 0,
            bits=bits,
            compression=compression,
            palette_colours=palette_colours,
            masks=(masks[0], masks[1], masks[2], masks[3]),
        )


def decode(bmp: Bmp, source: BinaryIO) -> Image.Image:
    """Return the picture. Its ICC profile is in its `info`."""
    if bmp.masks != _NO_MASKS and (bmp.bits, bmp.masks) not in _MASKS_OF_PILLOW:
        picture = _decode_masks(bmp, source)
    elif bmp.compression == _UNCOMPRESSED and bmp.bits in _PALETTE_RAWMODES and bmp.has_unusual_palette:
        picture = _decode_palette(bmp, source)
    else:
        source.seek(0)
        picture = Image.open(source, formats=[BmpImagePlugin.BmpImageFile.format])
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (0, 0):
        # Some programs store an alpha channel that they do not use. Browsers ignore it.
        picture = picture.convert("RGB")
    picture.format = "BMP"
    picture.info["icc_profile"] = _embedded_profile(bmp, source)
    return picture


def _decode_masks(bmp: Bmp, source: BinaryIO) -> Image.Image:
    rawmode = {16: "I;16", 32: "I;32"}.get(bmp.bits)
    if not rawmode:
        raise UnsupportedError(f"masks of {bmp.bits} bits")
    numbers = _raw_pixels(bmp, source, "I", rawmode)
    mode = "RGBA" if bmp.masks[3] else "RGB"
    return Image.merge(mode, [_masked_band(numbers, mask) for mask in bmp.masks[: len(mode)]])


def _raw_pixels(bmp: Bmp, source: BinaryIO, mode: str, rawmode: str) -> Image.Image:
    row_bytes = (bmp.width * bmp.bits + 31) // 32 * 4  # a row is padded to 4 bytes
    source.seek(bmp.pixel_offset)
    data = source.read(row_bytes * bmp.height)
    return Image.frombytes(mode, (bmp.width, bmp.height), data, "raw", rawmode, row_bytes, 1 if bmp.is_top_down else -1)


def _masked_band(numbers: Image.Image, mask: int) -> Image.Image:
    """Return the bits of a mask as values from 0 to 255."""
    if not mask:
        return Image.new("L", numbers.size)
    shift = (mask & -mask).bit_length() - 1
    maximum = mask >> shift
    if maximum & (maximum + 1):
        raise UnsupportedError(f"mask {mask:b}")
    unused_bits = max(0, maximum.bit_length() - 8)
    shift, maximum = shift + unused_bits, maximum >> unused_bits
    values: Image.Image = ImageMath.lambda_eval(lambda images: (images["x"] >> shift) & maximum, x=numbers)
    return values.point(lambda value: value * (255 / maximum) + 0.5).convert("L")


def _decode_palette(bmp: Bmp, source: BinaryIO) -> Image.Image:
    picture = _raw_pixels(bmp, source, "P", _PALETTE_RAWMODES[bmp.bits])
    source.seek(_FILE_HEADER_BYTES + bmp.header_size)
    picture.putpalette(source.read(4 * 2**bmp.bits), "BGRX")
    return picture


def _embedded_profile(bmp: Bmp, source: BinaryIO) -> bytes | None:
    """Return the ICC profile in the file. A link to the profile of another computer is ignored."""
    if bmp.header_size != _V5:
        return None
    source.seek(_FILE_HEADER_BYTES)
    kind, offset, size = struct.unpack("<56x4s52xLL4x", source.read(_V5))
    source.seek(_FILE_HEADER_BYTES + offset)
    return source.read(size) if kind == _EMBEDDED_PROFILE else None
