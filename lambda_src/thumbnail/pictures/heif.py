"""Reads and opens HEIF pictures. HEIF is the file format of AVIF and HEIC pictures.

Pillow does not crop an AVIF as its file says, and does not report its colour space. It cannot read HEIC, the format of
iPhones, at all. The package pillow-heif can.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO, Literal

from PIL import ImageFile
from PIL.Image import Transpose

from thumbnail.pictures.avif import open_avif
from thumbnail.pictures.file_colours import CodedColours
from thumbnail.pictures.isobmff import ShownPicture, read_shown_picture

# A file begins with a list of brands, which name the standards that it follows. Each HEIF file has one of these brands
# (ISO/IEC 23008-12, clause 10, and AV1 Image File Format, section 8).
_BRANDS = frozenset({b"mif1", b"mif2", b"mif3", b"msf1", b"avif", b"avis"})
_BRANDS |= {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_MAX_BRANDS_BYTES = 512

_FORMATS: dict[bytes, Literal["AVIF", "HEIC"]] = {b"av01": "AVIF", b"hvc1": "HEIC"}
_TRANSFORMS = frozenset({b"clap", b"irot", b"imir"})

# `irot` turns a picture anticlockwise by a number of quarters. Then `imir` exchanges top and bottom (0) or left and
# right (1). ISO/IEC 23008-12:2022, 6.5.10 and 6.5.12.
_TRANSPOSITIONS = {
    (0, None): None,
    (1, None): Transpose.ROTATE_90,
    (2, None): Transpose.ROTATE_180,
    (3, None): Transpose.ROTATE_270,
    (0, 0): Transpose.FLIP_TOP_BOTTOM,
    (1, 0): Transpose.TRANSPOSE,
    (2, 0): Transpose.FLIP_LEFT_RIGHT,
    (3, 0): Transpose.TRANSVERSE,
    (0, 1): Transpose.FLIP_LEFT_RIGHT,
    (1, 1): Transpose.TRANSVERSE,
    (2, 1): Transpose.FLIP_TOP_BOTTOM,
    (3, 1): Transpose.TRANSPOSE,
}

Box = tuple[int, int, int, int]
"""A rectangle of pixels: left, top, right and bottom edge, as Pillow counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeifPicture:
    """What the file says about the picture that it shows."""

    file_format: Literal["AVIF", "HEIC"] | None
    """None if the picture has another coding, which no decoder here supports."""
    coded_size: tuple[int, int] | None
    """Width and height before the picture is cropped and turned. None for an animation."""
    crop: tuple[int, ...] | None
    """The property `clap`: eight numbers, which are four fractions. These are the width and the height of the visible
    part, and the distances of its centre from the picture's centre, to the right and down. None for a HEIC, because its
    decoder crops it."""
    transposition: Transpose | None
    """Turns the cropped picture upright. None for a HEIC, because its decoder turns it. The orientation in EXIF or XMP
    has no effect on either format."""
    colours: CodedColours | None
    """The colour space. None if it is unknown, or if the picture has an ICC profile, which is more exact."""

    def open(self, source: BinaryIO) -> ImageFile.ImageFile:
        """Open the file, whose `file_format` must not be None. Pillow decodes the pixels later.

        Raises UnsupportedError if the decoder lacks a feature for the file. A damaged file can raise every kind of
        error.
        """
        source.seek(0)
        return open_avif(source) if self.file_format == "AVIF" else _open_heic(source)

    def crop_box(self, size: tuple[int, int]) -> Box | None:
        """Return the visible part of a decoded picture of this size, or None if all of it is visible.

        Raises ValueError if the part is not inside the picture, or if an edge is not between two pixels.
        ISO/IEC 14496-12, 12.1.4.1, and ISO/IEC 23000-22 (MIAF), 7.3.6.7.
        """
        if self.crop is None:
            return None
        width, width_divisor, height, height_divisor, right, right_divisor, down, down_divisor = self.crop
        left_edge, right_edge = _visible_span(size[0], width, width_divisor, right, right_divisor)
        top_edge, bottom_edge = _visible_span(size[1], height, height_divisor, down, down_divisor)
        return left_edge, top_edge, right_edge, bottom_edge


def is_heif(source: BinaryIO) -> bool:
    """Whether a file says that it is a HEIF file."""
    source.seek(0)
    header = source.read(_MAX_BRANDS_BYTES)
    return header[4:8] == b"ftyp" and not _BRANDS.isdisjoint(_brands(header))


def read_heif(source: BinaryIO) -> HeifPicture:
    """Return what a HEIF file says about its picture. Raises ValueError, or another error, if the file is damaged."""
    source.seek(0)
    picture = read_shown_picture(source.read())
    is_avif = picture.coding == b"av01"  # the decoder of HEIC crops and turns the picture
    return HeifPicture(
        file_format=_FORMATS.get(picture.coding),
        coded_size=_coded_size(picture),
        crop=_crop(picture) if is_avif else None,
        transposition=_transposition(picture) if is_avif else None,
        colours=_colours(picture),
    )


def _open_heic(source: BinaryIO) -> ImageFile.ImageFile:
    import pillow_heif  # noqa: PLC0415 - takes 15 ms

    options = pillow_heif.options
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False  # only the picture itself is needed
    options.DECODE_THREADS = 0  # more threads would reserve up to 500 MiB more memory; the function has one processor
    return pillow_heif.HeifImageFile(source)  # type: ignore[no-untyped-call]


def _brands(header: bytes) -> set[bytes]:
    end = min(int.from_bytes(header[:4]), len(header))
    return {header[start : start + 4] for start in (8, *range(16, end, 4))}


def _only(picture: ShownPicture, kind: bytes) -> memoryview | None:
    properties = picture.all(kind)
    if len(properties) > 1:
        raise ValueError(f"{len(properties)} properties {kind!r}")
    return properties[0] if properties else None


def _coded_size(picture: ShownPicture) -> tuple[int, int] | None:
    ispe = _only(picture, b"ispe")
    return None if ispe is None else struct.unpack_from(">II", ispe, 4)


def _crop(picture: ShownPicture) -> tuple[int, ...] | None:
    clap = _only(picture, b"clap")
    if clap is None:
        return None
    if next(kind for kind, _ in picture.properties if kind in _TRANSFORMS) != b"clap":
        raise ValueError("the picture is turned before it is cropped, which MIAF (7.3.6.7) forbids")
    return struct.unpack_from(">8i", clap)


def _visible_span(size: int, length: int, length_divisor: int, offset: int, offset_divisor: int) -> tuple[int, int]:
    """Return the first and the last edge of the visible part, horizontally or vertically. All arithmetic is exact."""
    if length_divisor <= 0 or offset_divisor <= 0:
        raise ValueError("a divisor of the visible part is not positive")
    length, fraction_of_length = divmod(length, length_divisor)
    start, fraction_of_start = divmod((size - length) * offset_divisor + 2 * offset, 2 * offset_divisor)
    if fraction_of_length or fraction_of_start:
        raise ValueError("an edge of the visible part is not between two pixels")
    if not 0 <= start < start + length <= size:
        raise ValueError(f"the visible part from {start} to {start + length} is not inside the {size} pixels")
    return start, start + length


def _transposition(picture: ShownPicture) -> Transpose | None:
    irot, imir = _only(picture, b"irot"), _only(picture, b"imir")
    return _TRANSPOSITIONS[irot[0] & 3 if irot else 0, imir[0] & 1 if imir else None]


def _colours(picture: ShownPicture) -> CodedColours | None:
    descriptions = {bytes(colr[:4]): colr for colr in reversed(picture.all(b"colr"))}  # the first of a type counts
    if b"nclx" not in descriptions or not descriptions.keys().isdisjoint({b"prof", b"rICC"}):
        return None
    primaries, transfer = struct.unpack_from(">HH", descriptions[b"nclx"], 4)
    return CodedColours(primaries, transfer)
