"""Makes WebP thumbnails of pictures, without AWS, files or global state.

The pictures come from strangers. `max_pixels` and the checks of the headers limit the memory that a picture can cost.
Pillow leaves one gap: an AVIF may hold more pixels than it announces. So the caller must also limit memory
(thumbnail.memory) and time.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

# Imported one by one: if a plugin that Pillow looks for is not loaded, it imports all forty, in 13 ms instead of 3.
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)
from PIL.Image import Resampling, Transpose

from thumbnail.colours import black_and_white_levels, to_eight_bits, to_resizable, to_srgb
from thumbnail.headers import MAX_EXIF_BYTES, check_headers

_FORMATS = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        GifImagePlugin.GifImageFile,
        WebPImagePlugin.WebPImageFile,
        AvifImagePlugin.AvifImageFile,
        TiffImagePlugin.TiffImageFile,
        BmpImagePlugin.BmpImageFile,
    )
)
_NOT_A_PICTURE = "The file is not a picture in a supported format (JPEG, PNG, GIF, WebP, AVIF, TIFF, BMP)."
_DAMAGED = "The picture is damaged or incomplete."

# Pillow itself refuses more than twice Image.MAX_IMAGE_PIXELS. Written out, because any code may change that global.
_PILLOW_MAX_PIXELS = 178_956_970
_WEBP_MAX_EDGE = 16_383

# A fast first step (in the JPEG decoder, or a box filter) stops at twice the thumbnail's size; LANCZOS does the rest.
# The result differs from LANCZOS alone by over 50 dB, which is invisible. A gap of 3 is no better for a JPEG, because
# its decoder scales by powers of two only; a gap of 1.9 gives 42 dB.
_REDUCING_GAP = 2.0

# Method 6 makes files 3 % smaller but takes three times as long. Method 2 makes them 1 % larger in half the time.
_WEBP_OPTIONS = {"quality": 80, "method": 4}

# EXIF 2.32, section 4.6.4.A: the transposition that turns a picture of this orientation upright.
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset({Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90})


class Rejected(Exception):  # noqa: N818 - an outcome to report to the uploader, not an error of the program
    """The picture is at fault, and a retry cannot help. `str()` is one sentence for the uploader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A thumbnail, and facts about its source. All sizes are in pixels.

    `source_width` and `source_height` are the picture's as a viewer shows it, after its EXIF orientation: the same way
    up as the thumbnail, however the camera was held.
    """

    data: bytes
    content_type: str
    width: int
    height: int
    source_format: str
    source_width: int
    source_height: int


def make_thumbnail(source: BinaryIO, *, max_edge: int, max_pixels: int) -> Thumbnail:
    """Return a WebP whose longest edge is `max_edge` pixels: upright, in sRGB, without metadata, never enlarged.

    It shows the first frame of an animation. The same bytes always give the same bytes. Not safe in threads, because
    it silences Pillow's warnings by the interpreter's own filters.

    Args:
        source: the whole picture, seekable. Pass memory or a local file, not a network stream: Pillow raises OSError
            for damage and for failed reads alike, so both count as damage.
        max_edge: from 1 to 16,383 pixels, the largest WebP.
        max_pixels: the largest width times height that is decoded, from 1 to 178,956,970, above which Pillow itself
            refuses. The peak of memory is proportional to it.

    Raises:
        Rejected: the picture is unsupported, damaged or too large.
        ValueError: `max_edge` or `max_pixels` is out of range.
        MemoryError: this machine is too small; a larger one may succeed.

    """
    _check_range("max_edge", max_edge, _WEBP_MAX_EDGE)
    _check_range("max_pixels", max_pixels, _PILLOW_MAX_PIXELS)
    with _decode_errors_as_rejected(max_pixels):
        check_headers(source)
        with Image.open(source, formats=_FORMATS) as picture:
            _check_pixels(picture, max_pixels)
            width, height = picture.size
            small = to_srgb(_decode_and_shrink(picture, max_edge), picture.info.get("icc_profile"))
            transposition = _upright_transposition(picture)
    if transposition is not None:
        small = small.transpose(transposition)
    if transposition in _SIDEWAYS:
        width, height = height, width
    return Thumbnail(
        data=_encode(small),
        content_type="image/webp",
        width=small.width,
        height=small.height,
        source_format="JPEG" if picture.format == "MPO" else str(picture.format),
        source_width=width,
        source_height=height,
    )


def _check_range(name: str, value: int, maximum: int) -> None:
    if not 1 <= value <= maximum:
        raise ValueError(f"{name} must be from 1 to {maximum:,}, not {value:,}")


@contextmanager
def _decode_errors_as_rejected(max_pixels: int) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (Rejected, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise Rejected(_NOT_A_PICTURE) from error
    except Image.DecompressionBombError as error:
        raise Rejected(f"The picture has too many pixels; the limit is {max_pixels:,}.") from error
    except Exception as error:  # a damaged picture makes Pillow raise almost any exception; no list was ever complete
        raise Rejected(_DAMAGED) from error


def _check_pixels(picture: Image.Image, max_pixels: int) -> None:
    pixels = picture.width * picture.height
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        # A tile may be larger than the picture, and Pillow decodes all of it.
        tile = picture.tag_v2.get(TiffImagePlugin.TILEWIDTH, 0) * picture.tag_v2.get(TiffImagePlugin.TILELENGTH, 0)
        pixels = max(pixels, tile)
    if pixels > max_pixels:
        raise Rejected(f"The picture has {pixels:,} pixels; the limit is {max_pixels:,}.")


def _decode_and_shrink(picture: Image.Image, max_edge: int) -> Image.Image:
    """Return the picture shrunk, with 8 bits a channel. Its colours are converted later, when few pixels are left."""
    size = _thumbnail_size(picture.width, picture.height, max_edge)
    # This must come before anything that loads the pixels: only then can the decoder skip most of them.
    drafted = picture.draft(None, (int(size[0] * _REDUCING_GAP), int(size[1] * _REDUCING_GAP)))
    box = drafted[1] if drafted else None
    resizable = to_resizable(picture)
    levels = black_and_white_levels(picture, resizable) if resizable.mode == "F" else None
    small = resizable.resize(size, Resampling.LANCZOS, box, _REDUCING_GAP)
    return to_eight_bits(small, levels) if levels else small


def _thumbnail_size(width: int, height: int, max_edge: int) -> tuple[int, int]:
    longest = max(width, height)
    if longest <= max_edge:
        return width, height
    return max(1, round(width * max_edge / longest)), max(1, round(height * max_edge / longest))


def _upright_transposition(picture: Image.Image) -> Transpose | None:
    if len(picture.info.get("exif", b"")) > MAX_EXIF_BYTES:
        return None
    try:
        return _UPRIGHT.get(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a camera's broken EXIF is no reason to reject its picture
        return None


def _encode(small: Image.Image) -> bytes:
    encoded = io.BytesIO()
    small.save(encoded, "WEBP", **_WEBP_OPTIONS)
    return encoded.getvalue()
