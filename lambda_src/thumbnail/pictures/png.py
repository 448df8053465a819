"""Reads the chunks of PNG files, and prepares the files for Pillow (specification: W3C PNG, third edition).

A thumbnail needs the critical chunks (header, palette, pixels), and some of the ancillary chunks. Pillow rejects a
whole picture because of one wrong ancillary chunk. Browsers ignore such a chunk, and so does this module.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from thumbnail.pictures.file_colours import CodedColours, Colours
from thumbnail.pictures.rejections import UnsupportedError
from thumbnail.pictures.rgb_spaces import SRGB_GAMMA, RgbSpace

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_PROFILE_BYTES = 4 << 20
"""Maximum size of a colour profile. Profiles for printers have 1 to 3 MB. A larger profile is ignored."""
_MAX_ANCILLARY_BYTES = 8 << 20
"""Maximum size of an ancillary chunk. A larger chunk is ignored."""
_BLOCK_BYTES = 1 << 20
_PREFIX = struct.Struct(">I4s")
"""The fields before the content of a chunk: its length and its name."""
_CHECKSUM_BYTES = 4

GREY, RGB, PALETTE = 0, 2, 3
"""Types of colour with transparency in a chunk of their own."""
_CRITICAL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_USED_CHUNKS = frozenset({b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"eXIf"})
_GAMMA_TOLERANCE = 0.05
"""If two exponents differ by less than this share, they count as equal, as in libpng (PNG_GAMMA_THRESHOLD)."""
_LENGTHS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4}


class Header(NamedTuple):
    """The fields of the chunk IHDR."""

    width: int
    height: int
    depth: int
    """Bits per channel. In a picture with a palette: bits per pixel."""
    colour_type: int
    compression: int
    filtering: int
    interlacing: int


@dataclass(slots=True)
class Png:
    """The parts of a PNG that its thumbnail needs."""

    header: Header
    palette: bytes = b""
    ancillary: dict[bytes, bytes] = field(default_factory=dict)
    """The content of each ancillary chunk that a thumbnail needs, by the chunk's name. Wrong chunks are missing."""
    pixels: range = range(0)
    """The part of the file that contains the chunks IDAT, which are the pixels."""

    @property
    def colours(self) -> Colours:
        """The colours that the stored values mean. cICP comes before iCCP, then sRGB, then gAMA and cHRM."""
        codes = self.ancillary.get(b"cICP", b"")
        if codes and codes[2] == 0:  # with another matrix, the pixels would not be red, green and blue
            return Colours(codes=CodedColours(codes[0], codes[1]), is_narrow=codes[3] == 0)
        profile = self._profile()
        if profile or b"sRGB" in self.ancillary:
            return Colours(profile=profile)
        return Colours(profile=self._space().profile())

    def _profile(self) -> bytes | None:
        _name, _end, compressed = self.ancillary.get(b"iCCP", b"").partition(b"\0")
        try:
            profile = zlib.decompressobj().decompress(compressed[1:], _MAX_PROFILE_BYTES + 1)
        except zlib.error:
            return None
        return profile if len(profile) <= _MAX_PROFILE_BYTES else None

    def _space(self) -> RgbSpace:
        space = RgbSpace()
        exponent = int.from_bytes(self.ancillary.get(b"gAMA", b"")) / 100_000
        if exponent and abs(exponent * SRGB_GAMMA - 1) > _GAMMA_TOLERANCE:
            space = space._replace(gamma=1 / exponent)
        if chromaticities := self.ancillary.get(b"cHRM"):
            white, *primaries = struct.iter_unpack(">II", chromaticities)
            space = space._replace(chromaticities=[(x / 100_000, y / 100_000) for x, y in (*primaries, white)])
        return space

    @property
    def transparent_colour(self) -> tuple[int, ...] | None:
        """The colour that counts as transparent, with the depth of the picture. None if there is no such colour."""
        content = self.ancillary.get(b"tRNS")
        if content is None or self.header.colour_type == PALETTE:
            return None
        return tuple(value % 2**self.header.depth for (value,) in struct.iter_unpack(">H", content))


def read_png(source: BinaryIO) -> Png:
    """Return the parts of a PNG file that its thumbnail needs.

    Raises ValueError or struct.error if a critical chunk is damaged, but the end of the file may be missing. Raises
    UnsupportedError if the file needs another kind of decoder.
    """
    chunks = _chunks(source)
    name, _offsets, content = next(chunks, (b"IEND", range(0), b""))
    if name != b"IHDR":
        raise ValueError("the file does not begin with a header")
    png = Png(Header(*struct.unpack(">IIBBBBB", content)))
    if png.header.compression or png.header.filtering or png.header.interlacing > 1:
        raise UnsupportedError("a method of compression, filtering or interlacing that PNG does not define")
    for name, offsets, content in chunks:
        if name == b"IDAT":
            if not png.pixels or png.pixels.stop == offsets.start:  # Pillow and browsers ignore separate chunks
                png.pixels = range(png.pixels.start or offsets.start, offsets.stop)
        elif name == b"PLTE":
            png.palette = content
        elif name == b"eXIf" or not png.pixels:
            png.ancillary.setdefault(name, content)
    png.ancillary = {name: content for name, content in png.ancillary.items() if _has_valid_length(name, content, png)}
    return png


def _chunks(source: BinaryIO) -> Iterator[tuple[bytes, range, bytes]]:
    """Yield name, offsets and content of each critical chunk, and of each undamaged ancillary chunk that is used.

    The content of the pixels is not read, because it can be large.
    """
    start = source.seek(len(SIGNATURE))
    while len(prefix := source.read(_PREFIX.size)) == _PREFIX.size and prefix[4:].isalpha():
        length, name = _PREFIX.unpack(prefix)
        if name == b"IEND":
            return
        is_critical = name[:1].isupper()
        if is_critical or (name in _USED_CHUNKS and length <= _MAX_ANCILLARY_BYTES):
            is_sound = _has_right_checksum(source, name, length)
            if is_critical and not is_sound:
                raise ValueError(f"the chunk {name.decode()} is damaged")
            if is_critical and name not in _CRITICAL_CHUNKS:
                raise UnsupportedError(f"the critical chunk {name.decode()}")
            source.seek(start + _PREFIX.size)
            if is_sound:
                offsets = range(start, start + 12 + length)
                yield name, offsets, b"" if name == b"IDAT" else source.read(length)
        start = source.seek(start + 12 + length)


def _has_right_checksum(source: BinaryIO, name: bytes, length: int) -> bool:
    """Whether a chunk has the right checksum, or ends with the file. Pillow notices whether pixels are missing."""
    checksum = zlib.crc32(name)
    while block := source.read(min(length, _BLOCK_BYTES)):
        checksum = zlib.crc32(block, checksum)
        length -= len(block)
    stored_checksum = source.read(_CHECKSUM_BYTES)
    return len(stored_checksum) < _CHECKSUM_BYTES or checksum == int.from_bytes(stored_checksum)


def _has_valid_length(name: bytes, content: bytes, png: Png) -> bool:
    if name == b"tRNS":
        lengths = {GREY: range(2, 3), RGB: range(6, 7), PALETTE: range(len(png.palette) // 3 + 1)}
        return len(content) in lengths.get(png.header.colour_type, ())
    return len(content) == _LENGTHS.get(name, len(content))
