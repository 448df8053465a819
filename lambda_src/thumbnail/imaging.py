"""Pictures in, WebP thumbnails out. No AWS, no files, no global state.

The pictures come from strangers. `max_pixels` and the checks of the headers bound the memory that a picture can cost,
with one gap that Pillow leaves open: an AVIF may hold more pixels than it announces. So the caller bounds memory, too
(thumbnail.memory), and time.
"""

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

# Named one by one, since Pillow looks for a plugin that is not loaded by importing all forty: 13 ms against 3 ms.
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)
from PIL.Image import Resampling, Transpose

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

# Twice Image.MAX_IMAGE_PIXELS, where Pillow refuses by itself. Written out, since anyone may change that global.
_PILLOW_MAX_PIXELS = 178_956_970
_WEBP_MAX_EDGE = 16_383

# What shrinks first (the JPEG decoder, or a box filter) stops at twice the thumbnail; LANCZOS does the rest. That is
# over 50 dB against LANCZOS alone. A gap of 3 is no better for a JPEG, which knows powers of two only; 1.9 makes 42 dB.
_REDUCING_GAP = 2.0

# Method 6 makes files 3 % smaller in three times the time, method 2 makes them 1 % larger in half of it.
_WEBP_OPTIONS = {"quality": 80, "method": 4}

# EXIF 2.32, section 4.6.4.A: what sets a picture upright that was stored in this orientation.
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
    """The picture is at fault and no retry will help. `str()` is one sentence for whoever uploaded it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A thumbnail, and what it was made from. All sizes are in pixels.

    `source_width` and `source_height` are the picture's as a viewer shows it, which is after its EXIF orientation: the
    same way up as the thumbnail, however the camera was held.
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

    Of an animation it shows the first frame. The same bytes always give the same bytes. Not for threads: Pillow's
    warnings are silenced by the interpreter's own filters.

    Args:
        source: the whole picture, seekable. An OSError from reading it counts as damage, since Pillow raises the same
            for both; hand over memory or a local file, not a network stream.
        max_edge: from 1 to 16,383 pixels, the largest WebP.
        max_pixels: width times height up to which a picture is decoded at all, from 1 to 178,956,970, where Pillow
            refuses by itself. The peak of memory is proportional to it.

    Raises:
        Rejected: the picture is unsupported, damaged or too large.
        ValueError: `max_edge` or `max_pixels` is out of range.
        MemoryError: this machine is too small; a larger one may succeed.

    """
    _require("max_edge", max_edge, _WEBP_MAX_EDGE)
    _require("max_pixels", max_pixels, _PILLOW_MAX_PIXELS)
    with _blaming_the_picture(max_pixels):
        check_headers(source)
        with Image.open(source, formats=_FORMATS) as picture:
            _check_pixels(picture, max_pixels)
            width, height = picture.size
            small = _to_srgb(_shrink(picture, max_edge), picture.info.get("icc_profile"))
            upright = _upright(picture)
    if upright is not None:
        small = small.transpose(upright)
    if upright in _SIDEWAYS:
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


def _require(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise ValueError(f"{name} must be from 1 to {most:,}, not {value:,}")


@contextmanager
def _blaming_the_picture(max_pixels: int) -> Iterator[None]:
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
    except Exception as error:  # damage makes Pillow raise nearly anything, and no list of it was ever complete
        raise Rejected(_DAMAGED) from error


def _check_pixels(picture: Image.Image, max_pixels: int) -> None:
    pixels = picture.width * picture.height
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        # A tile may be larger than the picture, and is decoded whole.
        tile = picture.tag_v2.get(TiffImagePlugin.TILEWIDTH, 0) * picture.tag_v2.get(TiffImagePlugin.TILELENGTH, 0)
        pixels = max(pixels, tile)
    if pixels > max_pixels:
        raise Rejected(f"The picture has {pixels:,} pixels; the limit is {max_pixels:,}.")


def _shrink(picture: Image.Image, max_edge: int) -> Image.Image:
    """Decode and shrink, in 8 bits a channel. Colours stay as they are, for converting a thumbnail costs nothing."""
    size = _fit(picture.width, picture.height, max_edge)
    # Before anything that loads the pixels, for only then can the decoder skip most of them.
    drafted = picture.draft(None, (int(size[0] * _REDUCING_GAP), int(size[1] * _REDUCING_GAP)))
    box = drafted[1] if drafted else None
    resizable = _resizable(picture)
    levels = _levels(picture, resizable) if resizable.mode == "F" else None
    small = resizable.resize(size, Resampling.LANCZOS, box, _REDUCING_GAP)
    return _to_eight_bits(small, levels) if levels else small


def _fit(width: int, height: int, max_edge: int) -> tuple[int, int]:
    longest = max(width, height)
    if longest <= max_edge:
        return width, height
    return max(1, round(width * max_edge / longest)), max(1, round(height * max_edge / longest))


def _resizable(picture: Image.Image) -> Image.Image:
    # Neighbours in a palette are no neighbours in colour, and a transparent colour is lost once it is mixed.
    if picture.mode in {"P", "PA"}:
        return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    if picture.mode in {"1", "L", "RGB"} and picture.has_transparency_data:
        return picture.convert("RGBA")
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode.startswith("I"):
        return picture.convert("F")  # the box filter knows no 16 bits, and overflows in 32
    return picture


def _levels(picture: Image.Image, resizable: Image.Image) -> tuple[float, float]:
    """Which values of a deep grey picture are black and white.

    What the format says, otherwise the first usual range that holds all values, otherwise the values' own range.
    """
    tags = picture.tag_v2 if isinstance(picture, TiffImagePlugin.TiffImageFile) else {}
    if picture.mode.startswith("I;16"):
        bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0]
        # 0 means that white is zero, which Pillow obeys in 8 bits but not in 16.
        inverted = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
        return (2**bits - 1, 0) if inverted else (0, 2**bits - 1)
    low, high = cast("tuple[float, float]", resizable.getextrema())
    for white in (1, 255, 65_535) if picture.mode == "F" else (65_535,):
        if low >= 0 and high <= white:
            return 0, white
    return low, high if high > low else math.inf


def _to_eight_bits(small: Image.Image, levels: tuple[float, float]) -> Image.Image:
    black, white = levels
    scale = 255 / (white - black)
    return small.convert("F").point(lambda value: value * scale + (0.5 - black * scale)).convert("L")


def _to_srgb(small: Image.Image, profile: object) -> Image.Image:
    if small.mode == "La":
        small = small.convert("LA")
    if small.mode not in {"LA", "RGBA"}:
        return _opaque_to_srgb(small, profile)
    rgb = _opaque_to_srgb(small.convert(small.mode.removesuffix("A")), profile)
    rgb.putalpha(small.getchannel("A"))
    return rgb


def _opaque_to_srgb(small: Image.Image, profile: object) -> Image.Image:
    if small.mode == "YCbCr":
        small = small.convert("RGB")
    if isinstance(profile, bytes):
        try:
            return _by_profile(small, profile)
        except (OSError, ImageCms.PyCMSError):
            pass  # broken, or for another kind of picture: every viewer then shows the picture without it
    return small.convert("RGB")


def _by_profile(small: Image.Image, profile: bytes) -> Image.Image:
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if small.mode == "L" and opened.profile.xcolor_space == "RGB ":
        small = small.convert("RGB")  # editors tag grey pictures with the screen's profile
    return ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), small.mode, "RGB").apply(small)


def _upright(picture: Image.Image) -> Transpose | None:
    if len(picture.info.get("exif", b"")) > MAX_EXIF_BYTES:
        return None
    try:
        return _UPRIGHT.get(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a camera's broken EXIF is no reason to refuse its picture
        return None


def _encode(small: Image.Image) -> bytes:
    encoded = io.BytesIO()
    small.save(encoded, "WEBP", **_WEBP_OPTIONS)
    return encoded.getvalue()
